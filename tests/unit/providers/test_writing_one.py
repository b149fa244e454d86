"""The documented provider works as it is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eso_core.testing.clock import FakeClock
from providers import ClientPool, Find, NoSecret, NotSupported, PushData, Registry, RemoteRef, ValidationState

PAGE = Path(__file__).parents[3] / "docs" / "providers" / "README.md"


class Entry:
    """The entry point of the page's package."""

    name = "shelf"

    def load(self) -> Any:
        code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert code is not None
        module: dict[str, Any] = {"__name__": "my_package"}
        exec(compile(code.group(1), str(PAGE), "exec", dont_inherit=True), module)
        return module["Shelf"]


async def test_the_documented_provider_reads(kube: Any, clock: FakeClock, store_of: Any) -> None:
    """Through the registry and the pool, with its own spec and credentials."""
    kube.put("Secret", "ns", "cred", password="12345")
    store = store_of(provider={"shelf": {"shelfName": "top", "auth": {"name": "cred", "key": "password"}}})
    async with ClientPool(Registry(plugins=[Entry()]), kube, clock) as pool:
        async with pool.client(store, "ns") as client:
            assert await client.get_secret(RemoteRef("book", "title")) == b"Emma"
            assert await client.get_secret_map(RemoteRef("book")) == {"title": b"Emma", "opened_with": b"5"}
            assert list(await client.get_all_secrets(Find())) == ["book"]
            with pytest.raises(NoSecret):
                await client.get_secret(RemoteRef("film"))
            assert (await client.validate()).state is ValidationState.READY
            for operation in (
                client.push_secret({}, PushData("x")),
                client.delete_secret(RemoteRef("x")),
                client.secret_exists(RemoteRef("x")),
            ):
                with pytest.raises(NotSupported):
                    await operation
        assert pool.source_changed("Secret", "ns", "cred", "99") == [store.identity]
