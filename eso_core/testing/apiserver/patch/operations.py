"""The operations of a JSON patch, checked as the server decodes them before it applies any."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.schema import gotext

__all__ = ["operations_problem"]

_TEXTS: Final = ("op", "path", "from")
_KNOWN: Final = frozenset({*_TEXTS, "value"})


def operations_problem(operations: list[Any]) -> tuple[str, list[str]]:
    """Why a list is no JSON patch (empty when it is one), and complaints about fields that operations do not have."""
    unknown: list[str] = []
    for index, operation in enumerate(operations):
        if operation is None:
            continue
        if not isinstance(operation, dict):
            name = _go_type(operation)
            return f"json: cannot unmarshal {name} into Go value of type handlers.jsonPatchOp", []
        for key, value in operation.items():
            if key not in _KNOWN:
                unknown.append(f"unknown field {gotext.quote(f'[{index}].{key}')}")
            elif key in _TEXTS and value is not None and not isinstance(value, str):
                name = _go_type(value)
                return f"json: cannot unmarshal {name} into Go struct field jsonPatchOp.{key} of type string", []
    return "", unknown


def _go_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
