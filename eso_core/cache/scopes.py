"""What is watched where: options by namespace, by kind, and for everything.

From the most to the least particular:

1. a kind in a namespace (`KindScopes.namespaces`),
2. the kind: what its `InformerSpec` says, then `KindScopes.options`,
3. a namespace, whatever the kind (`CacheScopes.namespaces`),
4. everything (`CacheScopes.options`).

Each option is looked up for itself: a namespace that says nothing about fields takes the field selector of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from eso_core.cache.codec import Transform
from eso_core.meta import GVK

__all__ = ["OTHERS", "CacheScopes", "KindScopes", "Scope"]

#: Stands among namespaces for all that are not named.
OTHERS = ""


class Scope(Struct, frozen=True):
    """Options of one scope; None leaves an option to a less particular one.

    Attributes:
        label_selector: server-side selection by labels; "" selects everything.
        field_selector: the same by fields.
        transform: changes each object before it is stored.
    """

    label_selector: str | None = None
    field_selector: str | None = None
    transform: Transform | None = None

    def over(self, other: Scope) -> Scope:
        """These options, and where they say nothing, those of `other`."""
        return Scope(
            other.label_selector if self.label_selector is None else self.label_selector,
            other.field_selector if self.field_selector is None else self.field_selector,
            other.transform if self.transform is None else self.transform,
        )


class KindScopes(Struct, frozen=True):
    """Options of one kind.

    Attributes:
        options: for all namespaces.
        namespaces: the namespaces that are watched, with options of their own; `OTHERS` means all that are not named.
            Empty leaves the choice to `CacheScopes.namespaces`.
    """

    options: Scope = field(default_factory=Scope)
    namespaces: Mapping[str, Scope] = field(default_factory=dict)


class CacheScopes(Struct, frozen=True):
    """Options of a whole cache.

    Attributes:
        options: for everything that says nothing else.
        namespaces: the namespaces that are watched unless a kind names its own; `OTHERS` means all that are not named.
        kinds: by kind.
    """

    options: Scope = field(default_factory=Scope)
    namespaces: Mapping[str, Scope] = field(default_factory=dict)
    kinds: Mapping[GVK, KindScopes] = field(default_factory=dict)

    def of(self, gvk: GVK, own: Scope, namespaces: tuple[str, ...], *, namespaced: bool) -> dict[str, Scope]:
        """The options of each scope that is watched for a kind.

        Args:
            gvk: the kind.
            own: what its spec says.
            namespaces: those that its spec names; empty for none.
            namespaced: whether its objects live in namespaces.
        """
        kind = self.kinds.get(gvk, KindScopes())
        of_kind = own.over(kind.options)
        if not namespaced:
            return {OTHERS: of_kind.over(self.options)}
        chosen = namespaces or tuple(kind.namespaces) or tuple(self.namespaces) or (OTHERS,)
        return {
            namespace: kind.namespaces.get(namespace, Scope())
            .over(of_kind)
            .over(self.namespaces.get(namespace, Scope()))
            .over(self.options)
            for namespace in chosen
        }
