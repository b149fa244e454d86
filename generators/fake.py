"""Fake: values that are written in the generator itself."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from generators.interface import Generated, Generator, GeneratorContext
from generators.spec import GeneratorSpec

__all__ = ["FakeGenerator", "FakeSpec"]


class FakeSpec(GeneratorSpec):
    """The values."""

    controller: str | None = Field(None, description="Class of the operator that works with it; empty for all.")
    data: dict[str, str] | None = Field(None, repr=False, description="Output keys and their values.")


class FakeGenerator(Generator):
    """Returns what it is told."""

    kind: ClassVar[str] = "Fake"
    plural: ClassVar[str] = "fakes"
    member: ClassVar[str] = "fakeSpec"
    spec: ClassVar[type[GeneratorSpec]] = FakeSpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        assert isinstance(spec, FakeSpec)
        return Generated({key: value.encode() for key, value in (spec.data or {}).items()})
