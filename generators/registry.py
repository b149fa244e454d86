"""Which kinds of generators there are: the built-in ones, and those of other packages.

Another package adds a kind with an entry point of group ``eso.generators`` whose name is the kind and whose object is a ``Generator``
subclass. Entry points are imported at the first use of their kind; one that cannot be imported concerns only its users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from eso_core.meta import JsonObject
from generators.errors import InvalidGenerator, UnknownGenerator
from generators.interface import Generator
from providers.plugins import Plugin, PluginBroken, Plugins

if TYPE_CHECKING:
    from generators.spec import GeneratorSpec

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "GeneratorRegistry"]

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
        self._generators: Plugins[Generator] = Plugins(
            "generator",
            Generator,  # type: ignore[type-abstract]  # what is made is of a subclass
            BUILT_IN,
            ENTRY_POINT_GROUP,
            plugins,
        )

    @property
    def kinds(self) -> list[str]:
        """All kinds, loaded or not, sorted."""
        return self._generators.names

    @property
    def plugins(self) -> list[str]:
        """The kinds of other packages, sorted."""
        return self._generators.others

    def register(self, generator: Generator) -> None:
        """Add a generator object, replacing what was there."""
        self._generators.put(generator.kind, generator)

    def get(self, kind: str) -> Generator:
        """The generator of a kind.

        Raises:
            UnknownGenerator: There is none, or its plug-in cannot be imported.
        """
        broken = f"the plug-in of generator {kind} cannot be loaded"
        try:
            generator = self._generators.get(kind)
        except PluginBroken as error:
            raise UnknownGenerator(f"{broken}: {error}") from error
        if generator is None:
            raise UnknownGenerator(f"generator not found: this operator has no {kind}; it has: {', '.join(self.kinds)}")
        if generator.kind != kind:
            raise UnknownGenerator(f"{broken}: its kind is {generator.kind}")
        return generator

    async def preload(self, kind: str) -> None:
        """Import a generator on a thread, ahead of its use. What goes wrong is told by `get`."""
        await self._generators.preload(kind)

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


def _describe(errors: Iterable[object]) -> str:
    parts = []
    for error in errors:
        assert isinstance(error, dict)
        details: JsonObject = error
        path = ".".join(str(step) for step in ("spec", *details["loc"]))
        parts.append(f"{path}: {details['msg']}")
    return "; ".join(parts)
