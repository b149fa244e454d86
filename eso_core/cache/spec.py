"""What an informer watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from eso_core.cache.codec import Transform
from eso_core.cache.scopes import OTHERS, Scope
from eso_core.cache.transforms import chain, hash_values
from eso_core.meta import GVK, LabelSelector, Partial, wellknown

__all__ = ["InformerSpec", "Kind", "ResourceClass", "gvk_of_kind", "is_namespaced", "resource_name"]


class ResourceClass(Protocol):
    """The part of a typed resource that the cache uses."""

    gvk: ClassVar[GVK]
    namespaced: ClassVar[bool]

    @classmethod
    def decode(cls, raw: Any, /) -> Any: ...


R = TypeVar("R")

#: A typed resource class, a kind of dict objects, or the metadata of either.
Kind: TypeAlias = type[Any] | GVK | Partial


def gvk_of_kind(kind: Kind) -> GVK:
    """The group, version and kind that `kind` names.

    Raises:
        TypeError: it is no kind.
    """
    if isinstance(kind, GVK):
        return kind
    gvk = getattr(kind, "gvk", None)
    if not isinstance(gvk, GVK):
        raise TypeError(f"{kind!r} is no kind: give a Resource class, a GVK or a Partial of one of them")
    return gvk


def is_namespaced(kind: Kind) -> bool | None:
    """Whether objects of the kind live in namespaces; None when that is not known without asking the server."""
    inner = kind.kind if isinstance(kind, Partial) else kind
    if isinstance(inner, GVK):
        known = wellknown.info(inner)
        return None if known is None else known.namespaced
    return bool(inner.namespaced)


def resource_name(kind: Kind) -> str:
    """The plural in URLs and RBAC rules; a guess for kinds that are not known."""
    inner = kind.kind if isinstance(kind, Partial) else kind
    if isinstance(inner, GVK):
        known = wellknown.info(inner)
        return known.gvr.resource if known is not None else inner.kind.lower() + "s"
    return str(inner.gvr.resource)


@dataclass(frozen=True, slots=True)
class InformerSpec:
    """What one informer watches and keeps.

    Attributes:
        kind: a Resource class, a GVK, or `Partial` of one of them for metadata only.
        namespaces: namespaces to watch; empty means all. `OTHERS` among them means all that are not named.
        scopes: options of single namespaces (or of `OTHERS`), which go before those of the informer.
        label_selector: server-side selection; objects that stop matching are deleted from the view.
        field_selector: the same by fields.
        view: name of this informer among several of the same kind.
        transform: changes each object before it is stored; None keeps it as it is.
        strip_managed_fields: drop managedFields; keep them when objects are to be updated from the cache.
        strip_last_applied: drop kubectl's copy of the object in an annotation; keep it when objects are to be updated from
            the cache, or when all annotations count.
        values: keep the values of Secrets. Without it they are replaced by a hash when they arrive, so that no dump of the
            memory holds them; with it, selectors or namespaces say whose values these are.
        resync: seconds between local replays to all handlers; 0 means never.
    """

    kind: Kind
    namespaces: tuple[str, ...] = ()
    scopes: Mapping[str, Scope] = field(default_factory=dict, hash=False)
    label_selector: str = ""
    field_selector: str = ""
    view: str = ""
    transform: Transform | None = None
    strip_managed_fields: bool = True
    strip_last_applied: bool = True
    values: bool = False
    resync: float = 36_000.0
    _selector: LabelSelector = field(init=False, repr=False, compare=False)
    gvk: GVK = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gvk", gvk_of_kind(self.kind))
        if self.resync < 0:
            raise ValueError(f"InformerSpec: resync={self.resync} must be 0 (off) or more seconds")
        if len(set(self.namespaces)) != len(self.namespaces) or self.namespaces == (OTHERS,):
            raise ValueError(f"InformerSpec: namespaces={self.namespaces} must be distinct and name at least one")
        unknown = sorted(set(self.scopes) - set(self.namespaces or (OTHERS,)))
        if unknown:
            raise ValueError(f"InformerSpec: scopes of {unknown}: these namespaces are not watched")
        object.__setattr__(self, "_selector", LabelSelector.parse(self.label_selector))

    @property
    def stored(self) -> Transform | None:
        """What shapes an object before it is stored: the transform, and what keeps the values of Secrets out."""
        secret = self.gvk == wellknown.SECRET and not self.values and not self.partial
        return chain(self.transform, hash_values) if secret else self.transform

    @property
    def partial(self) -> bool:
        return isinstance(self.kind, Partial)

    @property
    def name(self) -> str:
        """The informer's name in metrics and messages, such as `Secret`, `Secret/managed` or `Secret (metadata)`."""
        view = f"/{self.view}" if self.view else ""
        return f"{self.gvk.kind}{view}" + (" (metadata)" if self.partial else "")

    def within(self, namespace: str) -> InformerSpec:
        """What is watched in one namespace, or in `OTHERS`; this spec itself where that says nothing of its own.

        The named namespaces are kept out of the others by a field selector, so no object is read twice.
        """
        scope = self.scopes.get(namespace, Scope()).over(
            Scope(self.label_selector, self.field_selector, self.transform)
        )
        fields = [scope.field_selector] if scope.field_selector else []
        if namespace == OTHERS:
            fields += [f"metadata.namespace!={named}" for named in self.namespaces if named != OTHERS]
        own = (scope.label_selector or "", ",".join(fields), scope.transform)
        if own == (self.label_selector, self.field_selector, self.transform):
            return self
        return replace(self, namespaces=(), scopes={}, label_selector=own[0], field_selector=own[1], transform=own[2])

    def selects(self, labels: dict[str, str]) -> bool:
        """Whether an object with these labels can be in this informer, as far as labels tell."""
        return self._selector.matches(labels)
