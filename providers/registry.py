"""Which backends there are: the built-in ones, and those of other packages.

Another package adds a backend with an entry point of group ``eso.providers`` whose name is the key below
``spec.provider`` and whose object is a ``Provider`` subclass. Entry points are imported at the first use of their key;
one that cannot be imported concerns only the stores that name it.

A registry owns its provider objects, so two operators in one process share no provider state.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import structlog

from providers.errors import InvalidSpec, UnknownProvider
from providers.interface import Provider, Store

if TYPE_CHECKING:
    from pydantic import ValidationError

    from providers.spec import ProviderSpec

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "Plugin", "Registry"]

log = structlog.get_logger(__name__)

ENTRY_POINT_GROUP = "eso.providers"

BUILT_IN: Mapping[str, str] = {
    "fake": "providers.fake:FakeProvider",
    "kubernetes": "providers.kubernetes:KubernetesProvider",
    "openBao": "providers.openbao:OpenBaoProvider",
    "vault": "providers.vault:VaultProvider",
    "webhook": "providers.webhook:WebhookProvider",
}


class Plugin(Protocol):
    """A provider that is imported when it is first needed (``importlib.metadata.EntryPoint``)."""

    @property
    def name(self) -> str: ...

    def load(self) -> object: ...


class _BuiltIn:
    __slots__ = ("_target", "name")

    def __init__(self, name: str, target: str) -> None:
        self.name = name
        self._target = target

    def load(self) -> object:
        module, _, attribute = self._target.partition(":")
        return getattr(importlib.import_module(module), attribute)


class Registry:
    """Providers by their key below ``spec.provider``.

    Args:
        plugins: Replaces the entry points of the installed packages; for tests.
    """

    def __init__(self, plugins: Iterable[Plugin] | None = None) -> None:
        self._plugins = plugins
        self._loaded: dict[str, Provider] = {}
        self._broken: dict[str, str] = {}
        self._asked: set[str] = set()

    @cached_property
    def _known(self) -> dict[str, Plugin]:
        """All that is not registered as an object; looking through the installed packages waits until it matters."""
        plugins = self._plugins
        if plugins is None:
            from importlib import metadata

            plugins = metadata.entry_points(group=ENTRY_POINT_GROUP)
        known: dict[str, Plugin] = {plugin.name: plugin for plugin in plugins}
        for name, target in BUILT_IN.items():
            if name in known:
                # Replacing a built-in from outside would be a way to have every store's credentials.
                log.warning("provider plug-in ignored: its name is that of a built-in provider", provider=name)
            known[name] = _BuiltIn(name, target)
        return known

    @property
    def names(self) -> list[str]:
        """The keys of all backends, loaded or not, sorted."""
        return sorted(self._known.keys() | self._loaded.keys())

    def register(self, provider: Provider) -> None:
        """Adds a provider object under its own name, replacing what was there."""
        self._known.pop(provider.name, None)
        self._broken.pop(provider.name, None)
        self._loaded[provider.name] = provider

    def get(self, name: str, *, store: str = "") -> Provider:
        """The provider with this key.

        Args:
            name: The key below ``spec.provider``.
            store: The name of the store that asks, for the message.

        Raises:
            UnknownProvider: There is none, or its plug-in cannot be imported.
        """
        provider = self._loaded.get(name)
        if provider is not None:
            return provider
        if name in self._broken:
            raise UnknownProvider(name, store, reason=self._broken[name])
        plugin = self._known.get(name)
        if plugin is None:
            raise UnknownProvider(name, store)
        try:
            loaded = plugin.load()
            if not (isinstance(loaded, type) and issubclass(loaded, Provider)):
                raise TypeError("it is not a subclass of providers.interface.Provider")
            provider = loaded()
        except Exception as exc:
            self._broken[name] = f"its plug-in cannot be loaded: {exc}"
            log.error("provider plug-in cannot be loaded", provider=name, error=str(exc))
            raise UnknownProvider(name, store, reason=self._broken[name]) from exc
        self._loaded[name] = provider
        return provider

    async def preload(self, name: str) -> None:
        """Imports a backend on a thread, once: on the event loop its first use would stall everything for a quarter of a second.

        What goes wrong is told by `get`.
        """
        if name in self._loaded or name in self._asked:
            return
        self._asked.add(name)
        plugin = _BuiltIn(name, BUILT_IN[name]) if name in BUILT_IN else self._known.get(name)
        if plugin is not None:
            with suppress(Exception):
                await asyncio.to_thread(plugin.load)

    def for_store(self, store: Store) -> tuple[Provider, ProviderSpec]:
        """The provider of a store and the store's part of its configuration.

        Raises:
            InvalidSpec: The store does not name exactly one backend, or what it says of it is not valid.
            UnknownProvider: The backend is not there.
        """
        name, raw = backend_of(store)
        provider = self.get(name, store=store.name)
        from pydantic import ValidationError  # a fifth of a start; the provider has loaded it

        try:
            return provider, provider.spec.model_validate(raw)
        except ValidationError as exc:
            raise InvalidSpec(f"store error for {store.name}: {_describe(name, exc)}") from None


def backend_of(store: Store) -> tuple[str, object]:
    """The one key below ``spec.provider`` and what it holds.

    Raises:
        InvalidSpec: There is not exactly one.
    """
    given = store.spec.get("provider")
    keys = [key for key, value in given.items() if value is not None] if isinstance(given, dict) else []
    if len(keys) != 1:
        raise InvalidSpec(
            f"store error for {store.name}: secret stores must only have exactly one backend specified, "
            f"found {len(keys)}"
        )
    assert isinstance(given, dict)
    return keys[0], given[keys[0]]


def _describe(name: str, exc: ValidationError) -> str:
    """Field paths and reasons, without the offending input: it may be a credential in the wrong place."""
    parts = []
    for error in exc.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(step) for step in ("spec", "provider", name, *error["loc"]))
        parts.append(f"{path}: {error['msg']}")
    return "; ".join(parts)
