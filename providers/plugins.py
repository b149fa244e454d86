"""Classes of built-in modules and of other packages, imported when they are first needed."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Generic, Protocol, TypeVar

import structlog

from eso_core.aio import SingleFlight

__all__ = ["Plugin", "PluginBroken", "Plugins"]

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Plugin(Protocol):
    """A class that is imported when it is first needed (``importlib.metadata.EntryPoint``)."""

    @property
    def name(self) -> str: ...

    def load(self) -> object: ...


class PluginBroken(Exception):
    """What should be there cannot be imported, or is not what it should be; the text says why."""


class Plugins(Generic[T]):
    """One object for each name, of a class that is found under this name.

    Args:
        what: What an object is called in logs.
        base: The class they derive from.
        built_in: ``module:Class`` by name. Nobody else's class takes such a name.
        group: The entry points of other packages.
        given: Replaces these entry points; for tests.
    """

    def __init__(
        self, what: str, base: type[T], built_in: Mapping[str, str], group: str, given: Iterable[Plugin] | None = None
    ) -> None:
        self._what = what
        self._base = base
        self._built_in = built_in
        self._group = group
        self._given = given
        self._objects: dict[str, T] = {}
        self._broken: dict[str, Exception] = {}
        self._imports: SingleFlight[str, object] = SingleFlight()

    @cached_property
    def _others(self) -> dict[str, Plugin]:
        """Those of other packages. Looking through what is installed waits until it matters."""
        given = self._given
        if given is None:
            from importlib import metadata  # a fiftieth of a start

            given = metadata.entry_points(group=self._group)
        others = {}
        for plugin in given:
            if plugin.name in self._built_in:
                # Replacing a built-in from outside would be a way to everybody's credentials.
                log.warning(
                    f"{self._what} plug-in ignored: its name is that of a built-in {self._what}",
                    **{self._what: plugin.name},
                )
                continue
            others[plugin.name] = plugin
        return others

    @property
    def names(self) -> list[str]:
        """All names, loaded or not, sorted."""
        return sorted({*self._built_in, *self._others, *self._objects})

    @property
    def others(self) -> list[str]:
        """The names of other packages, sorted."""
        return sorted(self._others)

    def put(self, name: str, made: T) -> None:
        """Adds an object, replacing what was there."""
        self._broken.pop(name, None)
        self._objects[name] = made

    def get(self, name: str) -> T | None:
        """The object of this name, None when there is none.

        Raises:
            PluginBroken: It is there, and cannot be used.
        """
        load = self._loader(name)
        if load is not None:
            try:
                loaded = load()
            except Exception as error:
                self._report(name, error)
            else:
                self._keep(name, loaded)
        cause = self._broken.get(name)
        if cause is not None:
            raise PluginBroken(str(cause)) from cause
        return self._objects.get(name)

    async def preload(self, name: str) -> None:
        """Imports on a thread what `get` would import on the event loop, where it can take a quarter of a second.

        What goes wrong is told by `get`.
        """
        load = self._loader(name)
        if load is None:
            return
        try:
            loaded = await self._imports.do(name, lambda: asyncio.to_thread(load))
        except Exception as error:
            self._report(name, error)
        else:
            self._keep(name, loaded)

    def _loader(self, name: str) -> Callable[[], object] | None:
        """How to import what has not been imported yet."""
        if name in self._objects or name in self._broken:
            return None
        target = self._built_in.get(name)
        if target is not None:
            return partial(_imported, target)
        plugin = self._others.get(name)
        return None if plugin is None else plugin.load

    def _keep(self, name: str, loaded: object) -> None:
        if name in self._objects or name in self._broken:
            return  # somebody else has waited for the same import
        try:
            if not (isinstance(loaded, type) and issubclass(loaded, self._base)):
                raise TypeError(f"it is not a subclass of {self._base.__module__}.{self._base.__qualname__}")
            self._objects[name] = loaded()
        except Exception as error:
            self._report(name, error)

    def _report(self, name: str, error: Exception) -> None:
        if name not in self._broken:
            self._broken[name] = error
            log.error(f"{self._what} plug-in cannot be loaded", error=str(error), **{self._what: name})


def _imported(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
