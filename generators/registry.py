"""Which kinds of generators there are: the built-in ones, and those of other packages.

Another package adds a kind with an entry point of group ``eso.generators`` whose name is the kind and whose object is a ``Generator``
subclass. Entry points are imported at the first use of their kind; one that cannot be imported concerns only its users.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import structlog

from eso_core.meta import JsonObject
from generators.errors import InvalidGenerator, UnknownGenerator
from generators.interface import Generator
from providers.registry import Plugin

if TYPE_CHECKING:
    from generators.spec import GeneratorSpec

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "GeneratorRegistry"]

log = structlog.get_logger(__name__)

ENTRY_POINT_GROUP: Final = "eso.generators"

BUILT_IN: Final[Mapping[str, str]] = {
    "Fake": "generators.fake:FakeGenerator",
    "MFA": "generators.mfa:MFAGenerator",
    "Password": "generators.password:PasswordGenerator",
    "SSHKey": "generators.sshkey:SSHKeyGenerator",
    "UUID": "generators.uuids:UUIDGenerator",
    "VaultDynamicSecret": "generators.vaultdynamicsecret:VaultDynamicSecretGenerator",
    "Webhook": "generators.webhook:WebhookGenerator",
}


class GeneratorRegistry:
    """Generators by kind.

    Args:
        plugins: Replaces the entry points of the installed packages; for tests.
    """

    def __init__(self, plugins: Iterable[Plugin] | None = None) -> None:
        self._given = plugins
        self._loaded: dict[str, Generator] = {}
        self._broken: dict[str, str] = {}

    @cached_property
    def _plugins(self) -> dict[str, Plugin]:
        """Looking through the installed packages waits until it matters."""
        given = self._given
        if given is None:
            from importlib import metadata

            given = metadata.entry_points(group=ENTRY_POINT_GROUP)
        found: dict[str, Plugin] = {}
        for plugin in given:
            if plugin.name in BUILT_IN:
                log.warning(
                    "generator plug-in ignored: its name is that of a built-in generator", generator=plugin.name
                )
                continue
            found[plugin.name] = plugin
        return found

    @property
    def kinds(self) -> list[str]:
        """All kinds, loaded or not, sorted."""
        return sorted({*BUILT_IN, *self._plugins, *self._loaded})

    @property
    def plugins(self) -> list[str]:
        """The kinds of other packages, sorted."""
        return sorted(self._plugins)

    def register(self, generator: Generator) -> None:
        """Add a generator object, replacing what was there."""
        self._broken.pop(generator.kind, None)
        self._loaded[generator.kind] = generator

    def get(self, kind: str) -> Generator:
        """The generator of a kind.

        Raises:
            UnknownGenerator: There is none, or its plug-in cannot be imported.
        """
        known = self._loaded.get(kind)
        if known is not None:
            return known
        if kind in self._broken:
            raise UnknownGenerator(self._broken[kind])
        if kind not in BUILT_IN and kind not in self._plugins:
            raise UnknownGenerator(f"generator not found: this operator has no {kind}; it has: {', '.join(self.kinds)}")
        try:
            loaded = self._load(kind)
            if not (isinstance(loaded, type) and issubclass(loaded, Generator)):
                raise TypeError("it is not a subclass of generators.interface.Generator")
            if loaded.kind != kind:
                raise TypeError(f"its kind is {loaded.kind}")
            generator = loaded()
        except Exception as exc:
            self._broken[kind] = f"the plug-in of generator {kind} cannot be loaded: {exc}"
            log.error("generator plug-in cannot be loaded", generator=kind, error=str(exc))
            raise UnknownGenerator(self._broken[kind]) from exc
        self._loaded[kind] = generator
        return generator

    def parse(self, kind: str, spec: object) -> tuple[Generator, GeneratorSpec]:
        """The generator of a kind and its spec, read.

        Raises:
            UnknownGenerator: There is none.
            InvalidGenerator: The spec cannot be read; names the fields, not their values.
        """
        import pydantic

        generator = self.get(kind)
        if spec is None and any(field.is_required() for field in generator.spec.model_fields.values()):
            raise InvalidGenerator("no config spec provided")
        try:
            return generator, generator.spec.model_validate(spec if spec is not None else {})
        except pydantic.ValidationError as exc:
            raise InvalidGenerator(
                f"unable to parse spec: {_describe(exc.errors(include_url=False, include_input=False))}"
            ) from None

    def _load(self, kind: str) -> object:
        target = BUILT_IN.get(kind)
        if target is None:
            return self._plugins[kind].load()
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)


def _describe(errors: Iterable[object]) -> str:
    parts = []
    for error in errors:
        assert isinstance(error, dict)
        details: JsonObject = error
        path = ".".join(str(step) for step in ("spec", *details["loc"]))
        parts.append(f"{path}: {details['msg']}")
    return "; ".join(parts)
