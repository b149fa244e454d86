"""UUID: a random identifier."""

from __future__ import annotations

import uuid
from typing import ClassVar

from generators.interface import Generated, Generator, GeneratorContext
from generators.spec import GeneratorSpec

__all__ = ["UUIDGenerator", "UUIDSpec"]


class UUIDSpec(GeneratorSpec):
    """There is nothing to say."""


class UUIDGenerator(Generator):
    """A version 4 UUID in lower case, with dashes."""

    kind: ClassVar[str] = "UUID"
    plural: ClassVar[str] = "uuids"
    member: ClassVar[str] = "uuidSpec"
    spec: ClassVar[type[GeneratorSpec]] = UUIDSpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        return Generated({"uuid": str(uuid.uuid4()).encode()})
