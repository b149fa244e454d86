"""Structural schemas (OpenAPI v3 with the `x-kubernetes-*` extensions) from pydantic models.

What is generated follows the rules of `apiextensions.k8s.io/v1` for structural schemas: every level has a type, and nothing is
said twice. Constraints are best left to the API server: those in `Schema` go into the schema and not into pydantic, so that an object
that was stored under older rules can still be read. Those of pydantic (`Field(ge=1, pattern=...)`) go into the schema as well.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Struct
from pydantic import AnyUrl, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from eso_core.meta import JsonObject

__all__ = ["Rule", "Schema", "SchemaError", "structural_schema"]

_SCALARS: dict[Any, JsonObject] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bytes: {"type": "string", "format": "byte"},
    datetime: {"type": "string", "format": "date-time"},
}


class SchemaError(TypeError):
    """A field whose type has no structural schema; the message names model and field."""


class Rule(Struct, frozen=True):
    """A validation rule in CEL.

    Attributes:
        rule: The expression; `self` is the value, `oldSelf` what it was.
        message: What the user is told. Without it the server quotes the rule.
        message_expression: CEL that computes the message.
        reason: `FieldValueInvalid` (default), `FieldValueForbidden`, `FieldValueRequired` or `FieldValueDuplicate`.
        field_path: The field that is named, relative to the value, such as `.url`.
        optional_old_self: Run the rule on create as well, with `oldSelf` as an optional.
    """

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""
    field_path: str = ""
    optional_old_self: bool = False

    def to_json(self) -> JsonObject:
        """The rule as an entry of `x-kubernetes-validations`."""
        entry: JsonObject = {"rule": self.rule}
        for name, value in (
            ("message", self.message),
            ("messageExpression", self.message_expression),
            ("reason", self.reason),
            ("fieldPath", self.field_path),
            ("optionalOldSelf", self.optional_old_self),
        ):
            if value:
                entry[name] = value
        return entry


@dataclass(frozen=True, slots=True)
class Schema:
    """What a field's schema says beyond its Python type; written as `Annotated[T, Schema(...)]`, or on a class as `__schema__`.

    Attributes:
        int_or_string: The value may be a number or text.
        preserve_unknown_fields: Fields that the schema does not name are kept.
        embedded_resource: The value is a whole Kubernetes object.
        nullable: null is a value of its own.
        required: The field must be there although Python has a default for it.
        publish_default: Write the Python default into the schema, so that the server fills it in. False keeps it to ourselves.
        list_type, list_map_keys, map_type: How server-side apply merges the value.
        rules: CEL rules.
        extra: Any other keyword, such as `{"maxLength": 63}`.
        replace: Makes the whole schema of the field.
    """

    int_or_string: bool = False
    preserve_unknown_fields: bool = False
    embedded_resource: bool = False
    nullable: bool = False
    required: bool | None = None
    publish_default: bool = True
    list_type: Literal["", "atomic", "set", "map"] = ""
    list_map_keys: Sequence[str] = field(default=(), hash=False)
    map_type: Literal["", "atomic", "granular"] = ""
    rules: Sequence[Rule] = field(default=(), hash=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    replace: Callable[[], JsonObject] | None = None

    def put_on(self, schema: JsonObject) -> JsonObject:
        """`schema` with what this adds."""
        made = {**(self.replace() if self.replace else schema), **self.extra}
        if self.int_or_string:
            made.pop("type", None)
            made.pop("format", None)
            made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
            made["x-kubernetes-int-or-string"] = True
        for name, value in (
            ("x-kubernetes-preserve-unknown-fields", self.preserve_unknown_fields),
            ("x-kubernetes-embedded-resource", self.embedded_resource),
            ("nullable", self.nullable),
            ("x-kubernetes-list-type", self.list_type),
            ("x-kubernetes-list-map-keys", list(self.list_map_keys)),
            ("x-kubernetes-map-type", self.map_type),
            ("x-kubernetes-validations", [rule.to_json() for rule in self.rules]),
        ):
            if value:
                made[name] = value
        return made


def structural_schema(model: type[BaseModel]) -> JsonObject:
    """The schema of `model`: properties, required fields, defaults, and everything that `Schema` adds.

    Raises:
        SchemaError: a field has a type that no structural schema can describe.
    """
    return _of_model(model, ())


def docstring_of(model: type) -> str:
    """The first paragraph of the class's own docstring on one line; empty if it has none."""
    text = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    return " ".join(text.partition("\n\n")[0].split())


def _of_model(model: type[BaseModel], outer: tuple[type[BaseModel], ...]) -> JsonObject:
    if model in outer:
        raise SchemaError(
            f"{model.__qualname__} contains itself, which no structural schema can say: use dict[str, Any]"
        )
    inside = (*outer, model)
    properties: JsonObject = {}
    required: list[str] = []
    for name, info in model.model_fields.items():
        wire = info.alias or name
        extras = [m for m in info.metadata if isinstance(m, Schema)]
        try:
            schema = _refined(_of_type(info.annotation, inside), info.metadata)
        except SchemaError as error:
            raise SchemaError(f"{model.__qualname__}.{name}: {error}") from error
        if description := info.description or _described_by(info.annotation):
            schema = {**schema, "description": description}
        default = _default(info, extras)
        if default is not None:
            schema = {**schema, "default": default}
        properties[wire] = schema
        wanted = next((e.required for e in extras if e.required is not None), info.is_required())
        if wanted:
            required.append(wire)
    made: JsonObject = {"type": "object"}
    if properties:
        made["properties"] = properties
    if required:
        made["required"] = sorted(required)
    own = getattr(model, "__schema__", None)
    return own.put_on(made) if isinstance(own, Schema) else made


def _default(info: FieldInfo, extras: Sequence[Schema]) -> Any:
    if not all(e.publish_default for e in extras) or info.default is PydanticUndefined:
        return None
    value = info.default
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return value if isinstance(value, str | int | float | bool | dict | list) else None


def _described_by(annotation: Any) -> str:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return docstring_of(candidate)
    return ""


def _refined(schema: JsonObject, metadata: Sequence[object]) -> JsonObject:
    for entry in metadata:
        match entry:
            case Schema():
                schema = entry.put_on(schema)
            case FieldInfo():  # Annotated[T, Field(...)] inside another type
                schema = _refined(schema, entry.metadata)
            case _:
                schema = {**schema, **_constraint(entry, schema)}
    return schema


def _constraint(entry: object, schema: JsonObject) -> JsonObject:
    # What pydantic keeps of Field(ge=1, max_length=63, pattern=...): objects with these attributes, whatever their class.
    unit = {"array": "Items", "object": "Properties"}.get(schema.get("type", ""), "Length")
    made: JsonObject = {}
    for attribute, keyword, exclusive in (
        ("ge", "minimum", ""),
        ("gt", "minimum", "exclusiveMinimum"),
        ("le", "maximum", ""),
        ("lt", "maximum", "exclusiveMaximum"),
        ("multiple_of", "multipleOf", ""),
        ("min_length", f"min{unit}", ""),
        ("max_length", f"max{unit}", ""),
        ("pattern", "pattern", ""),
    ):
        value = getattr(entry, attribute, None)
        if isinstance(value, int | float | str) and not (attribute == "min_length" and value == 0):
            made[keyword] = value
            if exclusive:
                made[exclusive] = True
    return made


def _of_type(annotation: Any, outer: tuple[type[BaseModel], ...]) -> JsonObject:
    if annotation in _SCALARS:
        return dict(_SCALARS[annotation])
    if annotation is Any:
        return {"x-kubernetes-preserve-unknown-fields": True}
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return _refined(_of_type(inner, outer), metadata)
    if origin is Union or origin is types.UnionType:
        return _of_union([a for a in get_args(annotation) if a is not type(None)], outer)
    if origin is Literal:
        return _enum(get_args(annotation))
    if origin in (list, Sequence, tuple):
        return {"type": "array", "items": _of_type(get_args(annotation)[0], outer)}
    if origin in (dict, Mapping):
        return _of_map(get_args(annotation)[1], outer)
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            return _of_model(annotation, outer)
        if issubclass(annotation, AnyUrl):
            return {"type": "string", "format": "uri"}
        if issubclass(annotation, SecretStr):
            return {"type": "string"}
        if issubclass(annotation, Enum):
            return _enum([member.value for member in annotation])
    raise SchemaError(f"{annotation!r} has no structural schema: use a model, a scalar, a list or a dict of them")


def _of_union(members: list[Any], outer: tuple[type[BaseModel], ...]) -> JsonObject:
    if len(members) == 1:
        return _of_type(members[0], outer)
    if set(members) == {int, str}:
        return Schema(int_or_string=True).put_on({})
    raise SchemaError(f"a union of {members!r} has no structural schema: only int | str and T | None have")


def _of_map(value: Any, outer: tuple[type[BaseModel], ...]) -> JsonObject:
    if value is Any:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"type": "object", "additionalProperties": _of_type(value, outer)}


def _enum(values: Sequence[Any]) -> JsonObject:
    kinds = {type(v) for v in values}
    if len(kinds) != 1:
        raise SchemaError(f"an enum of {sorted(k.__name__ for k in kinds)} has no structural schema: use one type")
    return {**_SCALARS[kinds.pop()], "enum": list(values)}
