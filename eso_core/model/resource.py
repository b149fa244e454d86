"""`Resource`: one version of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import orjson
from msgspec import Struct
from pydantic import Field, ValidationError

from eso_core.meta import GVK, GVR, JsonObject, ObjectKey, ResourceInfo
from eso_core.meta.errors import DecodeError
from eso_core.model.decoding import explain
from eso_core.model.lossless import check_lossless
from eso_core.model.metadata import ResourceMetadata
from eso_core.model.model import Model

__all__ = ["PrinterColumn", "Resource", "ResourceDefinition"]


class PrinterColumn(Struct, frozen=True):
    """A column of `kubectl get`; `priority` above 0 shows it with `-o wide` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def to_json(self) -> JsonObject:
        """The column as a CRD has it."""
        made: JsonObject = {"name": self.name, "type": self.type, "jsonPath": self.json_path}
        for key, value in (("priority", self.priority), ("format", self.format), ("description", self.description)):
            if value:
                made[key] = value
        return made


class ResourceDefinition(Struct, frozen=True):
    """How the API serves a kind in one version."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    list_kind: str
    scope: Literal["Namespaced", "Cluster"]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status_subresource: bool = False
    printer_columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    deprecated: bool = False
    deprecation_warning: str = ""


class Resource(Model):
    """Base of the resource classes.

    Class keywords: `group` and `version` (required); `kind` (default: the class name), `plural` (default: lower-case kind plus
    `s`), `singular`, `list_kind`, `scope` (`"Namespaced"` or `"Cluster"`), `short_names`, `categories`, `status_subresource`,
    `printer_columns`, `selectable_fields` (JSON paths), `deprecated`, `deprecation_warning`.

    A subclass without keywords is an abstract base that only shares fields. Everything inside derives from `Model`, so that what is read
    can be written back whole; a class that would lose fields is refused with a `TypeError`.

    Attributes:
        gvk, gvr, namespaced: What the client and the cache need to find the kind.
        definition: The class keywords, complete.
    """

    gvk: ClassVar[GVK]
    gvr: ClassVar[GVR]
    namespaced: ClassVar[bool]
    info: ClassVar[ResourceInfo]
    definition: ClassVar[ResourceDefinition]

    api_version: str = ""
    kind: str = ""
    metadata: ResourceMetadata = Field(default_factory=ResourceMetadata)

    def __init_subclass__(cls, **keywords: Any) -> None:
        # The keywords are ours, read below once pydantic has made the fields; type.__init_subclass__ takes none.
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        group: str | None = None,
        version: str | None = None,
        kind: str | None = None,
        plural: str | None = None,
        singular: str | None = None,
        list_kind: str | None = None,
        scope: Literal["Namespaced", "Cluster"] = "Namespaced",
        short_names: Sequence[str] = (),
        categories: Sequence[str] = (),
        status_subresource: bool = False,
        printer_columns: Sequence[PrinterColumn] = (),
        selectable_fields: Sequence[str] = (),
        deprecated: bool = False,
        deprecation_warning: str = "",
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if group is None and version is None:
            return
        if not group or not version:
            raise ValueError(f"{cls.__name__}: a resource class needs both group and version")
        if scope not in ("Namespaced", "Cluster"):
            raise ValueError(f"{cls.__name__}: scope must be 'Namespaced' or 'Cluster', not {scope!r}")
        name = kind or cls.__name__
        cls.definition = ResourceDefinition(
            group=group,
            version=version,
            kind=name,
            plural=plural or f"{name.lower()}s",
            singular=singular or name.lower(),
            list_kind=list_kind or f"{name}List",
            scope=scope,
            short_names=tuple(short_names),
            categories=tuple(categories),
            status_subresource=status_subresource,
            printer_columns=tuple(printer_columns),
            selectable_fields=tuple(selectable_fields),
            deprecated=deprecated,
            deprecation_warning=deprecation_warning,
        )
        cls.gvk = GVK(group, version, name)
        cls.gvr = GVR(group, version, cls.definition.plural)
        cls.namespaced = scope == "Namespaced"
        cls.info = ResourceInfo(cls.gvr, cls.namespaced, cls.definition.singular, cls.definition.short_names)
        if cls.__pydantic_complete__:  # else a class that it refers to does not exist yet; crd_for checks again
            check_lossless(cls)

    @classmethod
    def decode(cls, raw: bytes | JsonObject, /) -> Self:
        """An object of this kind from JSON bytes or from a decoded object.

        Raises:
            DecodeError: It is no object of this shape. The message names the object, each field and the type that was found,
                never a value.
        """
        data: object = raw
        try:
            if isinstance(raw, bytes):
                data = orjson.loads(raw)
            return cls.model_validate(data)
        except orjson.JSONDecodeError as error:
            told = f"reading a {cls.gvk.kind}: not valid JSON: {error}"
        except ValidationError as error:
            told = f"reading {_title(cls, data)}: {explain(error, data)}"
        # Raised out here, since both errors carry the object: it must not hang on ours as its context.
        raise DecodeError(told)

    def encode(self) -> JsonObject:
        """The object as JSON, with apiVersion and kind; fields that were never set are absent."""
        data = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {**data, "apiVersion": self.gvk.api_version, "kind": self.gvk.kind}

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey(self.metadata.namespace if self.namespaced else "", self.metadata.name)


def _title(cls: type[Resource], data: object) -> str:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict):
        return f"a {cls.gvk.kind}"
    place = "/".join(str(metadata[part]) for part in ("namespace", "name") if metadata.get(part))
    return f"{cls.gvk.kind} {place}" if place else f"a {cls.gvk.kind}"
