"""The notation in which the built-in kinds are written down, and what it is read into.

One table says everything the server must know about a type: its JSON fields in order, their types, protobuf numbers,
list semantics and when an empty value is left out. OpenAPI schemas, the decoding of JSON bodies, the decoding of
protobuf bodies and field ownership are all derived from it.

A table is text. ``package <OpenAPI prefix> <group>/<version>`` opens a package; then come types and their fields::

    package io.k8s.api.core.v1 /v1
    kind Secret : Small confidential values.
      1 metadata   meta.ObjectMeta
      2 data       map[string]bytes   : Values in base64.
    type ObjectReference atomic : Names another object.
      1 kind       string

``kind`` also declares apiVersion and kind fields and, unless ``nolist`` follows, the list type. A field has a
protobuf number, a name, a type and flags. Types are ``string``, ``strings`` (a list of them as one value), ``bool``,
``int32``, ``int64``, ``float``, ``bytes``, ``time``, ``microtime``, ``intorstring``, ``quantity``, ``raw`` (an object),
``json`` (any value), ``schemas`` (a JSON schema or another value), or another type's name (``alias.Name`` from another
package), with ``*`` (presence matters), ``[]`` or ``map[string]`` in front. ``string:v1.SecretType`` is a string whose
Go type has a name of its own (it shows in decoding errors). Flags:

=============  ==========================================================================
``required``   listed as required in OpenAPI, and never left out of JSON
``always``     never left out of JSON (shown as null or "" when empty)
``omitzero``   a struct or time that is left out when empty (others show ``{}`` or null)
``set``        list of unique values
``map=a,b``    list of objects with these keys
``atomic``     list or map that is owned as one value
``merge=key``  strategic merge patch merges items by this key; ``merge`` alone: a set of values
``retain``     strategic merge patch honours ``$retainKeys`` here
``default=x``  default in OpenAPI (JSON)
=============  ==========================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Field", "FieldType", "Table", "Type", "parse_tables"]

SCALARS: Final = frozenset(
    [
        "string",
        "strings",
        "bool",
        "int32",
        "int64",
        "float",
        "bytes",
        "time",
        "microtime",
        "intorstring",
        "raw",
        "json",
        "schemas",
        "quantity",
    ]
)


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field's type: a scalar or the full name of a type, perhaps in a list, a map from strings, or behind a pointer.

    ``go`` is the name Go gives the scalar (``string``, ``types.UID``, ``[]uint8``).
    """

    base: str
    shape: str = ""  # "", "list" or "map"
    pointer: bool = False
    go: str = ""

    @property
    def is_struct(self) -> bool:
        return self.base not in SCALARS


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a type; see the module's documentation for the flags."""

    number: int
    name: str
    type: FieldType
    description: str
    required: bool = False
    always: bool = False
    omitzero: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_atomic: bool = False
    merge: bool = False
    merge_key: str = ""
    retain_keys: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Type:
    """A struct type. ``name`` is its OpenAPI name; ``group``, ``version`` and ``kind`` are set for API kinds."""

    name: str
    go: str
    description: str
    fields: dict[str, Field]
    group: str = ""
    version: str = ""
    kind: str = ""
    atomic: bool = False
    list_name: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(slots=True)
class Table:
    """All types by OpenAPI name, and the API kinds among them by group, version and kind."""

    types: dict[str, Type] = field(default_factory=dict)
    kinds: dict[tuple[str, str, str], Type] = field(default_factory=dict)


@dataclass(slots=True)
class _Package:
    prefix: str
    group: str
    version: str
    go: str


@dataclass(slots=True)
class _Draft:
    package: _Package
    name: str
    kind: bool
    flags: set[str]
    description: str
    lines: list[str] = field(default_factory=list)


def parse_tables(aliases: dict[str, str], *texts: str) -> Table:
    """Read tables. ``aliases`` maps the short package names used before a dot to OpenAPI prefixes.

    Raises:
        ValueError: a line does not follow the notation or names an unknown type.
    """
    drafts: list[_Draft] = []
    for text in texts:
        drafts += _drafts(text)
    known = {f"{draft.package.prefix}.{draft.name}" for draft in drafts}
    table = Table()
    for draft in drafts:
        for built in _build(draft, aliases, known):
            table.types[built.name] = built
            if built.kind:
                table.kinds[(built.group, built.version, built.kind)] = built
    return table


def _drafts(text: str) -> list[_Draft]:
    package = _Package("", "", "", "")
    drafts: list[_Draft] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "package":
            group, _, version = words[2].rpartition("/")
            package = _Package(words[1], group, version, words[3] if len(words) > 3 else words[1].rpartition(".")[2])
        elif words[0] in {"kind", "type"}:
            head, _, description = line.partition(" : ")
            parts = head.split()
            drafts.append(_Draft(package, parts[1], words[0] == "kind", set(parts[2:]), description.strip()))
        elif words[0].isdigit() and drafts:
            drafts[-1].lines.append(line)
        else:
            raise ValueError(f"type table: cannot read {line!r}")
    return drafts


def _build(draft: _Draft, aliases: dict[str, str], known: set[str]) -> list[Type]:
    package = draft.package
    fields: dict[str, Field] = {}
    if draft.kind:
        fields.update(_type_meta())
    for line in draft.lines:
        parsed = _field(line, package, aliases, known)
        fields[parsed.name] = parsed
    name = f"{package.prefix}.{draft.name}"
    listed = draft.kind and "nolist" not in draft.flags
    built = Type(
        name=name,
        go=draft.name,
        description=draft.description,
        fields=fields,
        group=package.group,
        version=package.version,
        kind=draft.name if draft.kind else "",
        atomic="atomic" in draft.flags,
        list_name=f"{name}List" if listed else "",
    )
    if not listed:
        return [built]
    return [built, _list_of(built, aliases)]


def _type_meta() -> dict[str, Field]:
    texts = {
        "kind": "Which kind of object this is.",
        "apiVersion": "Group and version of the schema that this object follows.",
    }
    scalar = FieldType("string", go="string")
    return {name: Field(0, name, scalar, text) for name, text in texts.items()}


def _list_of(item: Type, aliases: dict[str, str]) -> Type:
    fields = _type_meta()
    fields["metadata"] = Field(1, "metadata", FieldType(aliases["meta"] + ".ListMeta"), "About the list itself.")
    fields["items"] = Field(
        2, "items", FieldType(item.name, "list"), f"The objects of kind {item.kind}.", required=True, always=True
    )
    return Type(
        name=f"{item.name}List",
        go=f"{item.go}List",
        description=f"A list of objects of kind {item.kind}.",
        fields=fields,
        group=item.group,
        version=item.version,
        kind=f"{item.kind}List",
    )


def _field(line: str, package: _Package, aliases: dict[str, str], known: set[str]) -> Field:
    head, _, description = line.partition(" : ")
    number, name, type_text, *flags = head.split()
    options: dict[str, str] = {}
    for flag in flags:
        key, _, value = flag.partition("=")
        options[key] = value
    unknown = options.keys() - {"required", "always", "omitzero", "set", "map", "atomic", "merge", "retain", "default"}
    if unknown:
        raise ValueError(f"type table: unknown flags {sorted(unknown)} in {line!r}")
    kind = _field_type(type_text, package, aliases, known)
    list_type = "set" if "set" in options else "map" if "map" in options else ""
    if "atomic" in options and kind.shape == "list":
        list_type = "atomic"
    return Field(
        number=int(number),
        name=name,
        type=kind,
        description=description.strip(),
        required="required" in options,
        always="always" in options or "required" in options,
        omitzero="omitzero" in options,
        list_type=list_type,
        list_keys=tuple(options["map"].split(",")) if "map" in options else (),
        map_atomic="atomic" in options and kind.shape != "list",
        merge="merge" in options,
        merge_key=options.get("merge", ""),
        retain_keys="retain" in options,
        default=json.loads(options["default"]) if "default" in options else None,
    )


def _field_type(text: str, package: _Package, aliases: dict[str, str], known: set[str]) -> FieldType:
    pointer = text.startswith("*")
    rest = text.removeprefix("*")
    shape = ""
    if rest.startswith("[]"):
        shape, rest = "list", rest[2:]
    elif rest.startswith("map[string]"):
        shape, rest = "map", rest[len("map[string]") :]
    base, _, go = rest.partition(":")
    if base in SCALARS:
        return FieldType(base, shape, pointer, go or {"bytes": "[]uint8", "float": "float64"}.get(base, base))
    alias, dot, short = base.rpartition(".")
    name = f"{aliases[alias] if dot else package.prefix}.{short}"
    if name not in known:
        raise ValueError(f"type table: {text!r} names a type that no table declares")
    go_package = name.split(".")[-2] if name.split(".")[-2] != "v1" or not dot else "v1"
    return FieldType(name, shape, pointer, go or f"{go_package}.{short}")
