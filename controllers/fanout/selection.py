"""Which namespaces an object selects. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from eso_core.meta import JsonObject, LabelSelector
from eso_core.meta.errors import SelectorError

__all__ = ["BadSelector", "Selection"]

_NAME_LABEL: Final = "kubernetes.io/metadata.name"


class BadSelector(Exception):
    """A selector of the spec cannot be read; the text names the field."""


class Selection:
    """The namespaces of one object: what its selectors match, and those it names.

    Args:
        spec: `spec` of the object.

    Raises:
        BadSelector: A selector cannot be read.
    """

    def __init__(self, spec: JsonObject) -> None:
        self._names = frozenset(spec.get("namespaces") or ())
        self._selectors: list[LabelSelector] = []
        given = [("spec.namespaceSelector", spec.get("namespaceSelector"))]
        given += [
            (f"spec.namespaceSelectors[{index}]", selector)
            for index, selector in enumerate(spec.get("namespaceSelectors") or ())
        ]
        for path, selector in given:
            if selector is None:
                continue
            try:
                self._selectors.append(LabelSelector.from_object(selector))
            except SelectorError as error:
                raise BadSelector(f"{path}: {error}") from error

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether a namespace with these labels is selected; its name is a label that the API server keeps."""
        return labels.get(_NAME_LABEL) in self._names or any(selector.matches(labels) for selector in self._selectors)

    def of(self, namespaces: Iterable[tuple[str, Mapping[str, str]]]) -> list[str]:
        """The selected ones, sorted."""
        return sorted(name for name, labels in namespaces if self.has(labels))
