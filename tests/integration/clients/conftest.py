"""A server for other people's clients, and a kind of its own to work with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eso_core.testing.apiserver.background import BackgroundServer


@pytest.fixture(scope="session", autouse=True)
def gadgets(apiserver: BackgroundServer) -> None:
    """Gadgets: a colour, and a status of their own. In a group of their own: the server is shared with other folders."""
    spec = {
        "type": "object",
        "required": ["color"],
        "properties": {
            "color": {"type": "string", "enum": ["red", "blue"]},
            "replicas": {"type": "integer", "default": 1},
        },
    }
    properties = {"spec": spec, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties}},
    }
    names = {"kind": "Gadget", "plural": "gadgets", "shortNames": ["gd"]}
    manifest = {"group": "clients.example.io", "scope": "Namespaced", "names": names, "versions": [version]}
    apiserver.install({"metadata": {"name": "gadgets.clients.example.io"}, "spec": manifest})


@pytest.fixture
async def leak_check() -> AsyncIterator[None]:
    """Other people's clients keep temporary files and pools; that is not ours to check."""
    yield
