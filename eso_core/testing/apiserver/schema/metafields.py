"""Object metadata inside custom resources: which fields it has, of which types, and what is dropped.

Custom resources are free-form JSON, but their metadata (and that of resources embedded in them) has the fields of
every other object. Unknown fields are dropped and reported; values of a wrong type are refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

from eso_core.testing.apiserver.schema.gotext import number, quote, type_name

_STRINGS: Final = "map[string]string"
_METADATA: Final[dict[str, Any]] = {
    "name": "string",
    "generateName": "string",
    "namespace": "string",
    "selfLink": "string",
    "uid": "types.UID",
    "resourceVersion": "string",
    "generation": "int64",
    "creationTimestamp": "time",
    "deletionTimestamp": "time",
    "deletionGracePeriodSeconds": "int64",
    "labels": _STRINGS,
    "annotations": _STRINGS,
    "finalizers": "[]string",
    "ownerReferences": [
        "v1.OwnerReference",
        {
            "apiVersion": "string",
            "kind": "string",
            "name": "string",
            "uid": "types.UID",
            "controller": "bool",
            "blockOwnerDeletion": "bool",
        },
    ],
    "managedFields": [
        "v1.ManagedFieldsEntry",
        {
            "manager": "string",
            "operation": "v1.ManagedFieldsOperationType",
            "apiVersion": "string",
            "time": "time",
            "fieldsType": "string",
            "fieldsV1": "raw",
            "subresource": "string",
        },
    ],
}
_LEFT_OUT_IF_EMPTY: Final = ("annotations", "finalizers", "labels", "managedFields", "ownerReferences")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII).fullmatch
_JSON_NAMES: Final = {"integer": "number", "number": "number", "boolean": "bool", "string": "string", "array": "array"}


class CoerceError(ValueError):
    """Metadata, apiVersion or kind has a value of the wrong type. The message is worded as Go's JSON decoder does."""


def prune_metadata(metadata: Any, path: str, removed: list[str]) -> None:
    """Drop the unknown fields of ``metadata`` in place, adding their paths to ``removed``.

    Raises:
        CoerceError: a known field has a value of the wrong type.
    """
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise CoerceError(f"json: cannot unmarshal {_json_name(metadata)} into Go value of type v1.ObjectMeta")
    _prune(metadata, _METADATA, "ObjectMeta", path, removed)
    for name in _LEFT_OUT_IF_EMPTY:
        if name in metadata and not metadata[name]:
            del metadata[name]


def _json_name(value: Any) -> str:
    return _JSON_NAMES.get(type_name(value), "object")


def _prune(value: dict[str, Any], fields: dict[str, Any], struct: str, path: str, removed: list[str]) -> None:
    unknown = [key for key in value if key not in fields]
    for key in unknown:
        del value[key]
        removed.append(f"{path}.{key}" if path else key)
    for key, item in value.items():
        if item is not None:
            _check(item, fields[key], f"{struct}.{key}", f"{path}.{key}", removed)


def _check(value: Any, kind: Any, go_field: str, path: str, removed: list[str]) -> None:
    match kind:
        case [str(go_type), dict(fields)]:
            if not isinstance(value, list):
                raise _mismatch(value, go_field, f"[]{go_type}")
            for index, item in enumerate(value):
                if item is None:
                    continue
                if not isinstance(item, dict):
                    raise _mismatch(item, go_field, go_type)
                _prune(item, fields, go_field, f"{path}[{index}]", removed)
        case "map[string]string":
            if not isinstance(value, dict):
                raise _mismatch(value, go_field, kind)
            for key, item in value.items():
                if item is None:
                    value[key] = ""
                elif not isinstance(item, str):
                    raise _mismatch(item, go_field, "string")
        case "[]string":
            if not isinstance(value, list):
                raise _mismatch(value, go_field, kind)
            for item in value:
                if item is not None and not isinstance(item, str):
                    raise _mismatch(item, go_field, "string")
        case "int64":
            if isinstance(value, float):
                raise CoerceError(
                    f"json: cannot unmarshal number {number(value)} into Go struct field {go_field} of type int64"
                )
            if not isinstance(value, int) or isinstance(value, bool):
                raise _mismatch(value, go_field, kind)
        case "bool":
            if not isinstance(value, bool):
                raise _mismatch(value, go_field, kind)
        case "time":
            if not isinstance(value, str):
                raise CoerceError(f"json: cannot unmarshal {_json_name(value)} into Go value of type string")
            if not _TIME(value):
                raise CoerceError(
                    f'parsing time {quote(value)} as "2006-01-02T15:04:05Z07:00": cannot parse {quote(value)} as "2006"'
                )
        case "raw":
            return
        case _:
            if not isinstance(value, str):
                raise _mismatch(value, go_field, kind)


def _mismatch(value: Any, go_field: str, wanted: str) -> CoerceError:
    return CoerceError(f"json: cannot unmarshal {_json_name(value)} into Go struct field {go_field} of type {wanted}")
