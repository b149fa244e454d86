"""Validation of the parts of a CRD version that shape its endpoints: columns, selectable fields, subresources."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.fieldpath import FieldPathError, resolve

JsonObject = dict[str, Any]

SELECTABLE_LIMIT: Final = 8

_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_FORMATS: Final = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")


def column_errors(columns: list[JsonObject], path: str) -> list[FieldError]:
    """Errors of ``additionalPrinterColumns``."""
    errors: list[FieldError] = []
    for index, column in enumerate(columns):
        where = f"{path}[{index}]"
        kind, format_, json_path = (column.get(key) or "" for key in ("type", "format", "jsonPath"))
        if not column.get("name"):
            errors.append(causes.required(f"{where}.name"))
        if not kind:
            errors.append(causes.required(f"{where}.type", f"must be one of {','.join(_TYPES)}"))
        elif kind not in _TYPES:
            errors.append(causes.invalid(f"{where}.type", kind, f"must be one of {','.join(_TYPES)}"))
        if format_ and format_ not in _FORMATS:
            errors.append(causes.invalid(f"{where}.format", format_, f"must be one of {','.join(_FORMATS)}"))
        if not json_path:
            errors.append(causes.required(f"{where}.JSONPath"))
        else:
            errors += _simple_path_errors(json_path, f"{where}.JSONPath")
    return errors


def _simple_path_errors(text: str, path: str) -> list[FieldError]:
    if text.startswith("."):
        return []
    return [causes.invalid(path, text, "must be a simple json path starting with .")]


def selectable_errors(
    fields: list[JsonObject], schema: JsonObject, path: str, *, unlimited: bool = False
) -> list[FieldError]:
    """Errors of ``selectableFields``. ``unlimited`` lets more than eight stay that are there already."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(fields):
        where, text = f"{path}[{index}].jsonPath", item.get("jsonPath") or ""
        if not text:
            errors.append(causes.required(where))
            continue
        try:
            target, found = resolve(text, schema, keys=False)
        except FieldPathError as error:
            errors.append(causes.invalid(where, text, f"is an invalid path: {error}"))
            continue
        if target.partition(".")[0] == "metadata":
            errors.append(causes.invalid(where, text, "must not point to fields in metadata"))
        if found.get("type") not in ("string", "boolean", "integer"):
            detail = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with "
                "formats are allowed."
            )
            errors.append(causes.invalid(where, text, detail))
        if target in seen:
            errors.append(causes.duplicate(where, text))
        seen.add(target)
    if len(seen) > SELECTABLE_LIMIT and not unlimited:
        errors.append(causes.too_many(path, len(seen), SELECTABLE_LIMIT))
    return errors


def subresource_errors(subresources: JsonObject | None, path: str) -> list[FieldError]:
    """Errors of ``subresources``."""
    scale = (subresources or {}).get("scale")
    if scale is None:
        return []
    errors: list[FieldError] = []
    for key, parent in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        where, text = f"{path}.scale.{key}", scale.get(key) or ""
        if not text:
            errors.append(causes.required(where))
            continue
        wrong = _simple_path_errors(text, where)
        if not wrong and not text.startswith(f"{parent}."):
            wrong = [causes.invalid(where, text, f"should be a json path under {parent}")]
        errors += wrong
    selector = scale.get("labelSelectorPath") or ""
    if selector:
        where = f"{path}.scale.labelSelectorPath"
        wrong = _simple_path_errors(selector, where)
        if not wrong and not selector.startswith((".spec.", ".status.")):
            wrong = [causes.invalid(where, selector, "should be a json path under either .spec or .status")]
        errors += wrong
    return errors


def deprecation_errors(version: JsonObject, path: str) -> list[FieldError]:
    """Errors of ``deprecationWarning``."""
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    texts: list[str] = []
    if not version.get("deprecated"):
        texts = ["can only be set for deprecated versions"]
    else:
        if len(warning.encode()) > 256:
            texts.append("must be <= 256 characters long")
        if not warning:
            texts.append("must not be an empty string")
        offset = 0
        for char in warning:
            if not char.isprintable():
                intro = "must only contain printable UTF-8 characters"
                texts.append(f"{intro}; non-printable character found at index {offset}")
                break
            offset += len(char.encode())
    return [causes.invalid(f"{path}.deprecationWarning", warning, text) for text in texts]
