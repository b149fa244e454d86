"""Templates: Go's text/template with the function set that users of the operator know.

The engine is imported when the first template is rendered: it is a tenth of the start of an operator that may have none.
"""

from typing import TYPE_CHECKING

from controllers.templating.budget import Budget
from controllers.templating.gotemplate.errors import ExecError, LimitExceeded, ParseError, Place, TemplateError
from eso_core.lazy import lazy_exports

if TYPE_CHECKING:
    from controllers.templating.engine import Template, compile, render, render_async, root_of

__all__ = [
    "Budget",
    "ExecError",
    "LimitExceeded",
    "ParseError",
    "Place",
    "Template",
    "TemplateError",
    "compile",
    "render",
    "render_async",
    "root_of",
]

__getattr__ = lazy_exports(
    __name__, dict.fromkeys(("Template", "compile", "render", "render_async", "root_of"), "engine")
)
