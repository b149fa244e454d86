"""The built-in backends keep the contract that the kit holds other people's to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.fake import FakeProvider
from providers.testing import Backend, ProviderContract


class TestFake(ProviderContract):
    """Values in the store's own manifest."""

    @pytest.fixture
    async def backend(self) -> AsyncIterator[Backend]:
        spec: dict[str, list[dict[str, str]]] = {"data": [{"key": "first", "value": "1"}]}

        async def put(key: str, value: bytes) -> None:
            spec["data"].append({"key": key, "value": value.decode()})

        yield Backend(FakeProvider(), spec, put, refuses={"data": [{"key": "", "value": "x"}]})
