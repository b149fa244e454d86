"""Templates: Go's text/template with the function set that users of the operator know."""

from controllers.templating.budget import Budget
from controllers.templating.engine import Template, compile, render, render_async
from controllers.templating.gotemplate.errors import ExecError, LimitExceeded, ParseError, Place, TemplateError

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
]
