"""Why a template does not parse or does not render.

```
TemplateError
├── ParseError        the text is not a template
└── ExecError         rendering failed; no output is kept
    └── LimitExceeded a budget of the render is used up
FunctionError         raised by a function; the engine turns it into an ExecError with position
```

Texts are those of Go's text/template, since users search for them.
"""

from __future__ import annotations

__all__ = ["ExecError", "FunctionError", "LimitExceeded", "ParseError", "TemplateError"]


class TemplateError(Exception):
    """A template cannot be parsed or rendered. The text holds names and positions, and values only where functions put them."""


class ParseError(TemplateError):
    """`template: NAME:LINE: MESSAGE`."""


class ExecError(TemplateError):
    """`template: NAME:LINE:COL: executing "TEMPLATE" at <NODE>: MESSAGE`."""


class LimitExceeded(ExecError):
    """Output size, steps or time of one render are used up."""


class FunctionError(Exception):
    """A function refuses its arguments; `str()` is the text after `error calling NAME: `."""
