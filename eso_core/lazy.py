"""Names of a package that are imported when they are first used, so that the package itself costs nothing (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from sys import modules
from typing import Any

__all__ = ["lazy_exports"]


def lazy_exports(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module.

    Args:
        package: Its ``__name__``.
        homes: The module of each name, without the package's own name.

    Raises:
        AttributeError: From what is returned, for a name that has no home.
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{home}"), name)
        setattr(modules[package], name, found)  # from now on without this detour
        return found

    return find
