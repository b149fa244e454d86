"""Custom kinds: their strategy, made from the schema of a CRD version."""

from __future__ import annotations

from typing import Any, Final

import orjson

from eso_core.testing.apiserver import schema
from eso_core.testing.apiserver.builtin.validation_meta import (
    common_update_errors,
    metadata_errors,
    metadata_update_errors,
)
from eso_core.testing.apiserver.builtin.validation_names import subdomain_name
from eso_core.testing.apiserver.builtin.validation_warnings import finalizer_warnings
from eso_core.testing.apiserver.conversion import NotConverted
from eso_core.testing.apiserver.errors import FieldError, StatusError, bad_request
from eso_core.testing.apiserver.http.jsonpath import PathError, compile_path
from eso_core.testing.apiserver.http.scale import nested
from eso_core.testing.apiserver.resources import ResourceType, ScalePaths, Version
from eso_core.testing.apiserver.rest.body import WholeFloat
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import number
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.strategy import Call, DecodeFailure, Strategy

JsonObject = dict[str, Any]


_MAX_REPLICAS: Final = (1 << 31) - 1


def _scale_errors(obj: JsonObject, paths: ScalePaths, *, status: bool) -> list[FieldError]:
    """Errors of the fields that the scale subresource reads."""
    found: list[FieldError] = []
    for path in (paths.status,) if status else (paths.spec, paths.status):
        value = nested(obj, path) if path else None
        if value is None:
            continue
        if isinstance(value, WholeFloat | float):
            problem = f"accessor error: {number(float(value))} is of the type float64, expected int64"
            found.append(causes.invalid(path, 0, f"{path} {problem}"))
        elif not isinstance(value, int) or isinstance(value, bool):
            continue
        elif value < 0:
            found.append(causes.invalid(path, value, "should be a non-negative integer"))
        elif value > _MAX_REPLICAS:
            found.append(causes.invalid(path, value, f"should be less than or equal to {_MAX_REPLICAS}"))
    return found


class CustomStrategy(Strategy):
    """A kind of one CRD. Objects stored under an older schema are pruned and defaulted again when read."""

    custom = True
    unconditional_update = False

    def __init__(self, schemas: dict[str, JsonObject], storage_version: str, tag: str) -> None:
        self._schemas = {name: schema.compile(openapi) for name, openapi in schemas.items()}
        self._alike = {name for name, openapi in schemas.items() if openapi == schemas[storage_version]}
        self._tag = tag
        self._storage_version = storage_version

    def tag(self, version: Version) -> str | None:
        # What was written through another version's schema is pruned and defaulted when it is read.
        return self._tag if version.name in self._alike else None

    def decode(self, version: Version, obj: JsonObject, *, patch: bool = False) -> list[str]:
        if patch and str(obj.get("apiVersion", "")).rpartition("/")[2] not in self._schemas:
            # There is no schema of that version, so nothing but the metadata is known.
            return [f'unknown field "{key}"' for key in sorted(obj) if key not in ("apiVersion", "kind", "metadata")]
        try:
            removed = self._schemas[version.name].prune(obj)
        except schema.CoerceError as error:
            raise DecodeFailure(str(error)) from error
        return [f'unknown field "{path}"' for path in removed]

    def default(self, version: Version, obj: JsonObject) -> None:
        self._schemas[version.name].default(obj)

    def read(self, resource: ResourceType, version: Version, entry: Entry) -> JsonObject:
        if version.name == resource.storage_version:
            obj = entry.decode()
        elif resource.conversion is None:
            obj = entry.decode()
            obj["apiVersion"] = resource.api_version(version.name)
        else:
            converted = (entry.converted or {}).get(version.name)
            if converted is None:
                raise NotConverted
            obj = orjson.loads(converted)
        if entry.tag != self._tag or version.name not in self._alike:
            compiled = self._schemas[version.name]
            compiled.prune(obj)
            compiled.default(obj)
        return obj

    def body(self, resource: ResourceType, version: Version, entry: Entry) -> bytes | None:
        if version.name != resource.storage_version:
            return None
        if entry.tag != self._tag:
            body = orjson.dumps(self.read(resource, version, entry))
            if body != entry.body:
                return body
            entry.tag = self._tag  # the new schema leaves it as it is
        return entry.body

    def prepare_create(self, call: Call, obj: JsonObject) -> None:
        if call.version.status:
            obj.pop("status", None)

    def prepare_update(self, call: Call, obj: JsonObject, old: JsonObject) -> None:
        if not call.version.status:
            return
        if call.subresource == "status":
            status = obj.get("status")
            managed = obj["metadata"].get("managedFields")
            obj.clear()
            obj.update(old)
            obj["metadata"] = dict(old["metadata"])
            if managed is not None:
                obj["metadata"]["managedFields"] = managed
            if status is not None:
                obj["status"] = status
            else:
                obj.pop("status", None)
        elif "status" in old:
            obj["status"] = old["status"]
        else:
            obj.pop("status", None)

    def validate_create(self, call: Call, obj: JsonObject) -> list[FieldError]:
        before = metadata_errors(obj["metadata"], namespaced=call.resource.namespaced, name_rule=subdomain_name)
        return self._check(call, obj, None, before)

    def validate_update(self, call: Call, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        before = common_update_errors(obj["metadata"], old["metadata"], namespaced=call.resource.namespaced)
        before += metadata_update_errors(obj["metadata"], old["metadata"])
        return self._check(call, obj, old, before)

    def _check(self, call: Call, obj: JsonObject, old: JsonObject | None, before: list[FieldError]) -> list[FieldError]:
        status = call.subresource == "status"
        found, warnings = self._schemas[call.version.name].check(obj, old, before, status=status)
        for text in warnings:
            call.warn(text)
        if call.version.scale is not None:
            found = [*found, *_scale_errors(obj, call.version.scale, status=status)]
        return found

    def warnings(self, call: Call, obj: JsonObject, old: JsonObject | None) -> list[str]:
        return finalizer_warnings(obj, old)

    def field_labels(self, version: Version) -> frozenset[str]:
        return frozenset(path.removeprefix(".") for path in version.selectable)

    def field_value(self, obj: JsonObject, key: str) -> str:
        try:
            values = compile_path("." + key)(obj)
        except PathError:
            return ""
        if not values or values[0] is None:
            return ""
        value = values[0]
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def unknown_label(self, key: str) -> StatusError:
        return bad_request(f"field label not supported: {key}")
