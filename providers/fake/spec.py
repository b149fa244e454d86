"""`spec.provider.fake`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eso_core.model import Model
from providers.spec import ProviderSpec

__all__ = ["FakeEntry", "FakeSpec"]


class FakeEntry(Model):
    """One value that the store serves."""

    key: str = Field(description="Name under which the value is found.")
    value: Annotated[str, Field(repr=False)] = Field(description="The value, as it is or as a JSON document.")
    version: str | None = Field(None, description="Version of the value; a reference must name the same one.")


class FakeSpec(ProviderSpec):
    """A store that keeps its values in its own manifest; for tests and first steps."""

    data: list[FakeEntry] = Field(description="The values.", repr=False)
    validation_result: int | None = Field(None, description="What validation answers: 0 ready, 1 unknown, 2 error.")
