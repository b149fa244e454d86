"""Field selectors in cache reads: equalities, each answered by an index on the field's path.

The index of a path has two values per object, one within its namespace and one over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from eso_core.cache.store import IndexFunction, JsonObject
from eso_core.meta import FieldSelector, ObjectMeta

__all__ = ["field_index", "field_terms", "field_values"]

_ALL = "__all_namespaces"


def field_index(path: str) -> str:
    """The name of the index of a path."""
    return f"field:{path}"


def field_values(path: str) -> IndexFunction:
    """The index function of a dotted path. Objects without the field, or with a map or list there, have no value."""
    parts = path.split(".")

    def values(meta: ObjectMeta, obj: JsonObject) -> Iterable[str]:
        found: Any = obj
        for part in parts:
            if not isinstance(found, dict):
                return ()
            found = found.get(part)
        if found is None or isinstance(found, dict | list):
            return ()
        text = str(found).lower() if isinstance(found, bool) else str(found)
        return (f"{meta.namespace}/{text}", f"{_ALL}/{text}")

    return values


def field_terms(selector: str, namespace: str | None) -> Iterator[tuple[str, str]]:
    """(index, value) of each term of a selector, for a namespace or for all.

    Raises:
        SelectorError: the text is no field selector.
        ValueError: a term is no equality.
    """
    for path, operator, value in FieldSelector.parse(selector).terms:
        if operator != "=":
            raise ValueError(f"listing from the cache by field {path}: only equality works: filter the result instead")
        yield field_index(path), f"{_ALL if namespace is None else namespace}/{value}"
