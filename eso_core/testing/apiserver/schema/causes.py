"""Field errors with the server's standard wording, one function per cause."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema.gotext import quote, shown


class _Omitted(Enum):
    VALUE = "omitted"


OMIT: Final = _Omitted.VALUE
"""Stands for a value that the message leaves out."""

NO_FIELD: Final = "<nil>"
"""How the server names the absent path of an error about the object as a whole."""


def _text(kind: str, value: Any, detail: str) -> str:
    text = kind if value is OMIT else f"{kind}: {shown(value)}"
    return f"{text}: {detail}" if detail else text


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """``Invalid value: <value>: <detail>``."""
    return FieldError(errors.INVALID, field, _text("Invalid value", value, detail))


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    """An invalid value whose type is wrong."""
    return FieldError(errors.TYPE_INVALID, field, _text("Invalid value", value, detail))


def required(field: str, detail: str = "") -> FieldError:
    """``Required value``."""
    return FieldError(errors.REQUIRED, field, _text("Required value", OMIT, detail))


def forbidden(field: str, detail: str) -> FieldError:
    """``Forbidden: <detail>``."""
    return FieldError(errors.FORBIDDEN, field, _text("Forbidden", OMIT, detail))


def duplicate(field: str, value: Any) -> FieldError:
    """``Duplicate value: <value>``."""
    return FieldError(errors.DUPLICATE, field, _text("Duplicate value", value, ""))


def not_found(field: str, value: Any) -> FieldError:
    """``Not found: <value>``."""
    return FieldError(errors.NOT_FOUND, field, _text("Not found", value, ""))


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """``Unsupported value: <value>: supported values: "a", "b"``."""
    names = ", ".join(map(quote, supported))
    return FieldError(errors.NOT_SUPPORTED, field, _text("Unsupported value", value, f"supported values: {names}"))


def too_long(field: str, limit: int) -> FieldError:
    """``Too long: may not be more than 3 bytes``; a negative limit names none."""
    unit = "byte" if limit == 1 else "bytes"
    detail = f"may not be more than {limit} {unit}" if limit >= 0 else "value is too long"
    return FieldError(errors.TOO_LONG, field, _text("Too long", OMIT, detail))


def too_many(field: str, actual: int, limit: int) -> FieldError:
    """``Too many: 2: must have at most 1 item``."""
    unit = "item" if limit == 1 else "items"
    return FieldError(errors.TOO_MANY, field, _text("Too many", actual, f"must have at most {limit} {unit}"))


def internal(field: str, detail: str) -> FieldError:
    """``Internal error: <detail>``."""
    return FieldError(errors.INTERNAL, field, _text("Internal error", OMIT, detail))


def child(path: str, name: str) -> str:
    """The path of a named field."""
    return f"{path}.{name}" if path else name


def field_name(path: str) -> str:
    """The path as causes show it; the object as a whole is ``<nil>``."""
    return path or NO_FIELD
