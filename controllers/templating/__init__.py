"""Templates: Go's text/template with the function set that users of the operator know.

The engine is imported when the first template is rendered: it is a tenth of the start of an operator that may have none.
"""

from typing import TYPE_CHECKING, Any

from controllers.templating.budget import Budget
from controllers.templating.gotemplate.errors import ExecError, LimitExceeded, ParseError, Place, TemplateError

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

_OF_THE_ENGINE = frozenset({"Template", "compile", "render", "render_async", "root_of"})


def __getattr__(name: str) -> Any:
    if name not in _OF_THE_ENGINE:
        raise AttributeError(f"module 'controllers.templating' has no attribute {name!r}")
    from controllers.templating import engine

    # From now on they are found without this detour.
    globals().update({each: getattr(engine, each) for each in _OF_THE_ENGINE})
    return globals()[name]
