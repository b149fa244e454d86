"""Why a template does not parse or does not render.

```
TemplateError
├── ParseError        the text is not a template
└── ExecError         rendering failed; no output is kept
    └── LimitExceeded a budget of the render is used up
FunctionError         raised by a function; the engine turns it into an ExecError with position
└── SignatureError    a method that templates cannot call
```

Texts are those of Go's text/template, since users search for them.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ExecError", "FunctionError", "LimitExceeded", "ParseError", "Place", "SignatureError", "TemplateError"]


class Place(Struct, frozen=True):
    """Where a template failed, and what about.

    Attributes:
        template: name of the template (of the text, not of a `define` in it).
        line: from 1; 0 where unknown.
        column: bytes before the node on its line; None for parse errors, which know the line only.
        node: the part that failed, as source text.
        executing: the `define`d template that ran, or the same as `template`.
        message: the text after position and node.
        function: the function that refused its arguments.
        missing_key: the key that a map does not have.
        available: keys (never values) of the root data, where the key is missing there.
    """

    template: str = ""
    line: int = 0
    column: int | None = None
    node: str = ""
    executing: str = ""
    message: str = ""
    function: str | None = None
    missing_key: str | None = None
    available: tuple[str, ...] | None = None


class TemplateError(Exception):
    """A template cannot be parsed or rendered. The text holds names and positions, and values only where functions put them.

    Attributes:
        place: the same in parts.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place or Place(message=message)

    def __reduce__(self) -> tuple[type, tuple[str, Place]]:
        return type(self), (str(self), self.place)


class ParseError(TemplateError):
    """`template: NAME:LINE: MESSAGE`."""


class ExecError(TemplateError):
    """`template: NAME:LINE:COL: executing "TEMPLATE" at <NODE>: MESSAGE`."""


class LimitExceeded(ExecError):
    """Output size, steps, time or nesting of one render are used up."""


class FunctionError(Exception):
    """A function refuses its arguments; `str()` is the text after `error calling NAME: `."""


class SignatureError(FunctionError):
    """Go has the method, but templates cannot call it; `str()` is the whole message."""
