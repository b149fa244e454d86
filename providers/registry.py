"""Which backends there are: the built-in ones, and those of other packages.

Another package adds a backend with an entry point of group ``eso.providers`` whose name is the key below
``spec.provider`` and whose object is a ``Provider`` subclass. Entry points are imported at the first use of their key;
one that cannot be imported concerns only the stores that name it.

A registry owns its provider objects, so two operators in one process share no provider state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from providers.errors import InvalidSpec, UnknownProvider
from providers.interface import Provider, Store
from providers.plugins import Plugin, PluginBroken, Plugins

if TYPE_CHECKING:
    from pydantic import ValidationError

    from providers.spec import ProviderSpec

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "Registry"]

ENTRY_POINT_GROUP = "eso.providers"

BUILT_IN: Mapping[str, str] = {
    "fake": "providers.fake:FakeProvider",
    "kubernetes": "providers.kubernetes:KubernetesProvider",
    "openBao": "providers.openbao:OpenBaoProvider",
    "vault": "providers.vault:VaultProvider",
    "webhook": "providers.webhook:WebhookProvider",
}


class Registry:
    """Providers by their key below ``spec.provider``.

    Args:
        plugins: Replaces the entry points of the installed packages; for tests.
    """

    def __init__(self, plugins: Iterable[Plugin] | None = None) -> None:
        self._providers: Plugins[Provider] = Plugins(
            "provider",
            Provider,  # type: ignore[type-abstract]  # what is made is of a subclass
            BUILT_IN,
            ENTRY_POINT_GROUP,
            plugins,
        )

    @property
    def names(self) -> list[str]:
        """The keys of all backends, loaded or not, sorted."""
        return self._providers.names

    def register(self, provider: Provider) -> None:
        """Adds a provider object under its own name, replacing what was there."""
        self._providers.put(provider.name, provider)

    def get(self, name: str, *, store: str = "") -> Provider:
        """The provider with this key.

        Args:
            name: The key below ``spec.provider``.
            store: The name of the store that asks, for the message.

        Raises:
            UnknownProvider: There is none, or its plug-in cannot be imported.
        """
        try:
            provider = self._providers.get(name)
        except PluginBroken as error:
            raise UnknownProvider(name, store, reason=f"its plug-in cannot be loaded: {error}") from error
        if provider is None:
            raise UnknownProvider(name, store)
        return provider

    async def preload(self, store: Store) -> None:
        """Imports the backend of a store on a thread, ahead of its use. What goes wrong is told by `get`.

        Raises:
            InvalidSpec: The store does not name exactly one backend.
        """
        await self._providers.preload(backend_of(store)[0])

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
