"""What field ownership needs to know of a schema: where values are owned whole and where part by part.

An `Atom` says what a value may be: a scalar, a list, a map, or several of these (then the value decides). OpenAPI
schemas of built-in kinds and of custom resources compile to the same atoms.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.decode import normalize
from eso_core.testing.apiserver.builtin.typetable import Type
from eso_core.testing.apiserver.managedfields.fieldset import Node, field_set

__all__ = ["ABSENT", "Atom", "ListAtom", "MapAtom", "ObjectSchema", "compile_schema", "deduce"]

JsonObject = dict[str, Any]


class _Absent:
    __slots__ = ()

    def __repr__(self) -> str:
        return "<absent>"


ABSENT: Final = _Absent()
"""Stands for a value that is not there, as null is a value."""


class ListAtom:
    """A list: atomic, a set of scalars (no keys), or a map by ``keys`` whose absent values have ``defaults``."""

    __slots__ = ("atomic", "defaults", "element", "keys")

    def __init__(self, atomic: bool, keys: tuple[str, ...], element: Atom, defaults: JsonObject) -> None:
        self.atomic = atomic
        self.keys = keys
        self.element = element
        self.defaults = defaults


class MapAtom:
    """An object: its declared fields, and the type of all others (None: there are none)."""

    __slots__ = ("atomic", "element", "fields")

    def __init__(self, atomic: bool, fields: dict[str, Atom], element: Atom | None) -> None:
        self.atomic = atomic
        self.fields = fields
        self.element = element


class Atom:
    """What a value may be. ``scalar`` is "string", "numeric", "boolean" or "untyped"."""

    __slots__ = ("list", "map", "scalar")

    def __init__(self, scalar: str = "", lists: ListAtom | None = None, maps: MapAtom | None = None) -> None:
        self.scalar = scalar
        self.list = lists
        self.map = maps


def deduce(atom: Atom, value: Any) -> tuple[str, ListAtom | MapAtom | str | None]:
    """How to treat a value: ("map" | "list" | "scalar", what is known about it).

    The value's own shape decides where the schema allows it; otherwise the schema's first shape does.
    """
    if isinstance(value, dict):
        if atom.map is not None:
            return "map", atom.map
    elif isinstance(value, list):
        if atom.list is not None:
            return "list", atom.list
    elif value is not None and value is not ABSENT and atom.scalar:
        return "scalar", atom.scalar
    if atom.map is not None:
        return "map", atom.map
    if atom.scalar:
        return "scalar", atom.scalar
    return "list", atom.list


_UNTYPED_ATOMIC: Final = Atom("untyped")
_UNTYPED_ATOMIC.list = ListAtom(True, (), _UNTYPED_ATOMIC, {})
_UNTYPED_ATOMIC.map = MapAtom(True, {}, _UNTYPED_ATOMIC)
# Free-form values: objects field by field, lists whole.
_DEDUCED: Final = Atom("untyped", ListAtom(True, (), _UNTYPED_ATOMIC, {}))
_DEDUCED.map = MapAtom(False, {}, _DEDUCED)

_STRIPPED: Final = (
    "apiVersion",
    "kind",
    "metadata",
    *(
        f"metadata.{name}"
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)
STRIPPED: Final[Node] = field_set(*_STRIPPED)
"""Fields that nobody owns."""


class ObjectSchema:
    """A compiled schema of a kind. ``empty`` is a new object of it before anything is set.

    ``builtin`` is the type of a built-in kind; none of its entries can come from an older schema. ``free`` tells that
    some values have no declared type, so that 1 may turn into true, which Python takes for equal.
    """

    __slots__ = ("builtin", "empty", "free", "root", "source")

    def __init__(self, source: JsonObject, root: Atom, empty: JsonObject, builtin: Type | None, free: bool) -> None:
        self.source = source
        self.free = free
        self.root = root
        self.empty = empty
        self.builtin = builtin


_CACHE: Final[OrderedDict[int, ObjectSchema]] = OrderedDict()
_CACHE_SIZE: Final = 512


def compile_schema(openapi: JsonObject) -> ObjectSchema:
    """The compiled form of a kind's schema; remembered for as long as the same dict is passed.

    ``$ref`` may point to built-in types. The schema of a custom resource needs no metadata properties.
    """
    found = _CACHE.get(id(openapi))
    if found is not None and found.source is openapi:
        return found
    compiler = _Compiler()
    builtin = _builtin_type(openapi)
    if builtin is None:
        root = compiler.atom(_with_object_fields(openapi), False)
        empty: JsonObject = {}
    else:
        root = compiler.atom(openapi, False)
        empty = normalize(builtin, {})
    compiled = _CACHE[id(openapi)] = ObjectSchema(openapi, root, empty, builtin, compiler.free)
    if len(_CACHE) > _CACHE_SIZE:
        _CACHE.popitem(last=False)
    return compiled


def _builtin_type(openapi: JsonObject) -> Type | None:
    for gvk in openapi.get("x-kubernetes-group-version-kind", ()):
        found = schemas.type_for(gvk["group"], gvk["version"], gvk["kind"])
        if found is not None and schemas.components().get(found.name) is openapi:
            return found
    return None


def _with_object_fields(openapi: JsonObject) -> JsonObject:
    """The schema with the fields every object has; what it says about metadata itself has no effect on ownership."""
    properties = {
        **openapi.get("properties", {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": schemas.REFERENCE_PREFIX + schemas.OBJECT_META},
    }
    return {**openapi, "type": "object", "properties": properties}


_SCALARS: Final = {"string": "string", "integer": "numeric", "number": "numeric", "boolean": "boolean"}
# Types whose OpenAPI does not say that any JSON value fits.
_ANY_VALUE: Final = frozenset(
    {"io.k8s.apimachinery.pkg.runtime.RawExtension", "io.k8s.apimachinery.pkg.api.resource.Quantity"}
)


class _Compiler:
    def __init__(self) -> None:
        self._named: dict[tuple[str, str], Atom] = {}
        self.free = False

    def atom(self, schema: JsonObject, preserve: bool) -> Atom:
        atom = Atom()
        self._fill(atom, schema, preserve)
        return atom

    def reference(self, schema: JsonObject, preserve: bool) -> Atom:
        """The atom of a schema that may be a reference, alone or in an allOf of one."""
        name = schema.get("$ref", "")
        if not name and len(schema.get("allOf", ())) == 1:
            name = schema["allOf"][0].get("$ref", "")
        if not name:
            return self.atom(schema, preserve)
        name = name.removeprefix(schemas.REFERENCE_PREFIX)
        if name in _ANY_VALUE:
            return Atom("untyped")
        override = schema.get("x-kubernetes-map-type", "")
        known = self._named.get((name, override))
        if known is None:
            # Registered before it is filled, as types may contain themselves.
            known = self._named[(name, override)] = Atom()
            free = self.free
            self._fill(known, schemas.components()[name], False)
            # What built-in types leave open is nothing that clients write freely.
            self.free = free
            if override and known.map is not None:
                known.map = MapAtom(override == "atomic", known.map.fields, known.map.element)
        return known

    def _fill(self, atom: Atom, schema: JsonObject, preserve: bool) -> None:
        preserve = preserve or schema.get("x-kubernetes-preserve-unknown-fields") is True
        kind = schema.get("type", "")
        if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
            kind = ""
        if kind in _SCALARS:
            atom.scalar = _SCALARS[kind]
            return
        if kind in ("", "object"):
            atom.map = self._map(schema, preserve)
        if kind in ("", "array"):
            atom.list = self._list(schema, preserve)
        if kind == "":
            atom.scalar = "untyped"

    def _map(self, schema: JsonObject, preserve: bool) -> MapAtom:
        properties = schema.get("properties") or {}
        if schema.get("x-kubernetes-embedded-resource"):
            properties = _with_object_fields({"properties": properties})["properties"]
        fields = {name: self.reference(member, preserve) for name, member in properties.items()}
        additional = schema.get("additionalProperties")
        element: Atom | None
        if isinstance(additional, dict):
            element = self.reference(additional, preserve)
        elif additional is True or (additional is None and (preserve or not properties)):
            element = _DEDUCED
            self.free = True
        else:
            element = None
        return MapAtom(schema.get("x-kubernetes-map-type") == "atomic", fields, element)

    def _list(self, schema: JsonObject, preserve: bool) -> ListAtom:
        items = schema.get("items")
        element = self.reference(items, preserve) if isinstance(items, dict) else _UNTYPED_ATOMIC
        self.free = self.free or element is _UNTYPED_ATOMIC
        list_type = schema.get("x-kubernetes-list-type")
        if list_type == "map":
            keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
            return ListAtom(False, keys, element, _defaults(items, keys))
        if list_type == "set":
            return ListAtom(False, (), element, {})
        if list_type is None and "merge" in str(schema.get("x-kubernetes-patch-strategy", "")).split(","):
            key = schema.get("x-kubernetes-patch-merge-key")
            keys = (key,) if key else ()
            return ListAtom(False, keys, element, _defaults(items, keys))
        return ListAtom(True, (), element, {})


def _defaults(items: Any, keys: tuple[str, ...]) -> JsonObject:
    if not isinstance(items, dict):
        return {}
    for candidate in (items, *items.get("allOf", ())):
        name = candidate.get("$ref", "").removeprefix(schemas.REFERENCE_PREFIX)
        properties = (schemas.components()[name] if name else candidate).get("properties")
        if properties:
            return {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
    return {}
