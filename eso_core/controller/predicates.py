"""Predicates: which events of a source are worth a reconcile.

A predicate is pure and sees an event before its handler. Combine them with `&`, `|` and `~`. Those that compare two states
let Create, Delete and Generic pass. They do not shrink the cache. A predicate that raises counts as "pass".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from eso_core.controller.event import Event, EventKind
from eso_core.meta import LabelSelector, ObjectMeta

__all__ = [
    "Predicate",
    "annotations_changed",
    "deletion_started",
    "finalizers_changed",
    "fn",
    "generation_changed",
    "label_selector",
    "labels_changed",
    "more_than_status",
    "namespace",
    "resource_version_changed",
]

Test: TypeAlias = Callable[[Event], bool]


class Predicate:
    """A named test of events.

    Args:
        name: shown in logs and reprs.
        test: the decision; must not have side effects.
        needs_generation: the test means nothing for kinds without `metadata.generation`.
    """

    __slots__ = ("_test", "name", "needs_generation")

    def __init__(self, name: str, test: Test, *, needs_generation: bool = False) -> None:
        self.name = name
        self._test = test
        self.needs_generation = needs_generation

    def __call__(self, event: Event) -> bool:
        return self._test(event)

    def __and__(self, other: Predicate) -> Predicate:
        left, right = self._test, other._test
        return Predicate(
            f"({self.name} & {other.name})",
            lambda event: left(event) and right(event),
            needs_generation=self.needs_generation or other.needs_generation,
        )

    def __or__(self, other: Predicate) -> Predicate:
        left, right = self._test, other._test
        return Predicate(
            f"({self.name} | {other.name})",
            lambda event: left(event) or right(event),
            needs_generation=self.needs_generation or other.needs_generation,
        )

    def __invert__(self) -> Predicate:
        test = self._test
        return Predicate(f"~{self.name}", lambda event: not test(event), needs_generation=self.needs_generation)

    def __repr__(self) -> str:
        return f"Predicate({self.name})"


def _on_update(name: str, differs: Callable[[ObjectMeta, ObjectMeta], bool], *, generation: bool = False) -> Predicate:
    def test(event: Event) -> bool:
        if event.kind is not EventKind.UPDATE or event.old is None:
            return True
        return differs(event.old.meta, event.object.meta)

    return Predicate(name, test, needs_generation=generation)


#: The spec changed, or deletion began: the server raises the generation for both. Resyncs and status writes are filtered, and
#: so is the finalizer that `finalize` adds: beside it take `more_than_status`, or add `| finalizers_changed`.
generation_changed = _on_update(
    "generation_changed", lambda old, new: old.generation != new.generation, generation=True
)

#: Anything but the status changed: filters writes of the status, also the reconciler's own. Unlike `generation_changed` it
#: lets labels, annotations, owners, resyncs, and the finalizer that `finalize` adds, pass.
more_than_status = _on_update(
    "more_than_status",
    lambda old, new: (
        old.resource_version == new.resource_version
        or old.generation != new.generation
        or old.labels != new.labels
        or old.annotations != new.annotations
        or old.deletion_timestamp != new.deletion_timestamp
        or list(old.finalizers) != list(new.finalizers)
        or list(old.owner_references) != list(new.owner_references)
    ),
    generation=True,
)

#: Anything changed: filters resyncs only.
resource_version_changed = _on_update(
    "resource_version_changed", lambda old, new: old.resource_version != new.resource_version
)

labels_changed = _on_update("labels_changed", lambda old, new: old.labels != new.labels)

annotations_changed = _on_update("annotations_changed", lambda old, new: old.annotations != new.annotations)

finalizers_changed = _on_update("finalizers_changed", lambda old, new: list(old.finalizers) != list(new.finalizers))

#: The deletion timestamp appeared.
deletion_started = _on_update(
    "deletion_started", lambda old, new: old.deletion_timestamp is None and new.deletion_timestamp is not None
)


def label_selector(selector: LabelSelector | str) -> Predicate:
    """Objects whose labels match, judged by the newest state, for all kinds of events."""
    parsed = LabelSelector.parse(selector) if isinstance(selector, str) else selector
    return Predicate(f"label_selector({selector})", lambda event: parsed.matches(event.object.meta.labels))


def namespace(test: Callable[[str], bool]) -> Predicate:
    """Objects in namespaces for which `test` holds."""
    return Predicate("namespace", lambda event: test(event.object.key.namespace))


def fn(test: Test, name: str = "fn") -> Predicate:
    """A predicate of your own."""
    return Predicate(name, test)
