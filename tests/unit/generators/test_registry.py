"""Which generators there are, and how their specs are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from generators.errors import InvalidGenerator, UnknownGenerator
from generators.interface import Generated, Generator, GeneratorContext
from generators.password import PasswordGenerator
from generators.registry import BUILT_IN, GeneratorRegistry
from generators.spec import GeneratorSpec


class Ticket(Generator):
    """Of another package."""

    kind: ClassVar[str] = "Ticket"
    plural: ClassVar[str] = "tickets"
    member: ClassVar[str] = "ticketSpec"
    spec: ClassVar[type[GeneratorSpec]] = GeneratorSpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        return Generated({"ticket": b"1"})


@dataclass
class Entry:
    """An entry point."""

    name: str
    what: object
    loads: int = 0

    def load(self) -> Any:
        self.loads += 1
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


@pytest.mark.parametrize("kind", sorted(BUILT_IN))
def test_a_built_in_kind_is_called_as_its_class_says(kind: str) -> None:
    """And stands in a ClusterGenerator under its name with a small letter, abbreviations whole."""
    generator = GeneratorRegistry(plugins=()).get(kind)
    assert generator.kind == kind and generator.plural == f"{kind.lower()}s"
    assert generator.member.lower() == f"{kind.lower()}spec"


def test_plug_ins_are_imported_at_their_first_use_and_once() -> None:
    """An operator that uses none of them pays for none."""
    entry = Entry("Ticket", Ticket)
    registry = GeneratorRegistry(plugins=[entry])
    assert "Ticket" in registry.kinds and registry.plugins == ["Ticket"] and entry.loads == 0
    assert isinstance(registry.get("Ticket"), Ticket) and registry.get("Ticket") is registry.get("Ticket")
    assert entry.loads == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (ImportError("no module named ticketing"), "no module named ticketing"),
        (object, "it is not a subclass of generators.interface.Generator"),
        ("text", "it is not a subclass of generators.interface.Generator"),
        (PasswordGenerator, "its kind is Password"),
    ],
)
def test_a_broken_plug_in_concerns_only_its_users(what: object, why: str) -> None:
    """It is told why; it is not imported again; all others work."""
    entry = Entry("Ticket", what)
    registry = GeneratorRegistry(plugins=[entry])
    for _ in range(2):
        with pytest.raises(UnknownGenerator, match=f"the plug-in of generator Ticket cannot be loaded: {why}"):
            registry.get("Ticket")
    assert entry.loads == 1
    assert registry.get("UUID").kind == "UUID"


async def test_a_kind_is_imported_on_a_thread_before_it_is_needed() -> None:
    """As backends are."""
    entry = Entry("Ticket", Ticket)
    registry = GeneratorRegistry(plugins=[entry])
    for kind in ("Ticket", "UUID", "Gpu"):
        await registry.preload(kind)
    assert isinstance(registry.get("Ticket"), Ticket) and entry.loads == 1


def test_a_plug_in_cannot_take_the_place_of_a_built_in_kind() -> None:
    """Who installs a package for one kind must not get another Password."""
    entry = Entry("Password", Ticket)
    assert isinstance(GeneratorRegistry(plugins=[entry]).get("Password"), PasswordGenerator)
    assert entry.loads == 0


def test_a_kind_that_is_not_there_is_told_with_those_that_are() -> None:
    """In the words of the original, then the list."""
    with pytest.raises(UnknownGenerator, match="generator not found: this operator has no Gpu; it has: Fake, MFA, "):
        GeneratorRegistry(plugins=()).get("Gpu")


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("MFA", None, "no config spec provided"),
        ("MFA", {}, r"unable to parse spec: spec.secret: Field required"),
        ("Password", {"length": "planted"}, r"unable to parse spec: spec.length: "),
        ("Fake", {"data": ["planted"]}, r"unable to parse spec: spec.data: "),
    ],
)
def test_a_spec_that_cannot_be_read_names_its_fields_and_shows_no_value(kind: str, spec: object, words: str) -> None:
    """The object may hold secrets."""
    with pytest.raises(InvalidGenerator, match=words) as caught:
        GeneratorRegistry(plugins=()).parse(kind, spec)
    assert "planted" not in str(caught.value) and not caught.value.retryable
    assert caught.value.__cause__ is None


def test_a_spec_may_be_missing_where_nothing_has_to_be_said() -> None:
    """UUID, or a Password with its defaults."""
    for kind in ("UUID", "Password"):
        assert GeneratorRegistry(plugins=()).parse(kind, None)[0].kind == kind
