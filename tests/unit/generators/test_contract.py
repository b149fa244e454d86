"""The built-in generators that need no server keep the contract, and so does one with a state."""

from __future__ import annotations

from typing import ClassVar

import pytest

from generators.fake import FakeGenerator
from generators.interface import Generated, Generator, GeneratorContext, JsonObject
from generators.mfa import MFAGenerator
from generators.password import PasswordGenerator
from generators.spec import GeneratorSpec
from generators.sshkey import SSHKeyGenerator
from generators.testing import Case, GeneratorContract
from generators.uuids import UUIDGenerator

SEED = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class TestPassword(GeneratorContract):
    """Random text."""

    @pytest.fixture
    async def case(self) -> Case:
        return Case(PasswordGenerator(), {"length": 12, "secretKeys": ["a", "b"]}, refuses={"length": 44})


class TestUUID(GeneratorContract):
    """Random identifiers."""

    @pytest.fixture
    async def case(self) -> Case:
        return Case(UUIDGenerator(), {})


class TestFake(GeneratorContract):
    """What it is told."""

    @pytest.fixture
    async def case(self) -> Case:
        return Case(FakeGenerator(), {"data": {"k": "planted-value"}}, refuses={"data": {"k": ["v"]}}, fresh=False)


class TestSSHKey(GeneratorContract):
    """Pairs."""

    @pytest.fixture
    async def case(self) -> Case:
        return Case(SSHKeyGenerator(), {"keyType": "ed25519", "comment": "c"}, refuses={"keyType": "dsa"})


class TestMFA(GeneratorContract):
    """Codes of a seed in a Secret."""

    @pytest.fixture
    async def case(self) -> Case:
        selector = {"name": "seed", "key": "s", "namespace": "does-not-count"}
        spec = {"secret": selector, "length": 8, "when": "2005-03-18T01:58:29Z"}
        refuses = {**spec, "when": "yesterday"}
        return Case(MFAGenerator(), spec, secrets={"seed": {"s": SEED}}, refuses=refuses, fresh=False)


class Tickets(Generator):
    """Numbered tickets that live until they are taken back."""

    kind: ClassVar[str] = "Ticket"
    plural: ClassVar[str] = "tickets"
    member: ClassVar[str] = "ticketSpec"
    spec: ClassVar[type[GeneratorSpec]] = GeneratorSpec

    def __init__(self) -> None:
        self.living: set[int] = set()
        self._last = 0

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        self._last += 1
        self.living.add(self._last)
        return Generated({"ticket": str(self._last).encode()}, {"id": self._last}, lifetime=60.0)

    async def cleanup(self, spec: GeneratorSpec, state: JsonObject, ctx: GeneratorContext) -> None:
        self.living.discard(state["id"])


class TestTickets(GeneratorContract):
    """A state, and its cleanup."""

    @pytest.fixture
    async def case(self) -> Case:
        tickets = Tickets()
        return Case(tickets, {}, living=lambda: len(tickets.living))
