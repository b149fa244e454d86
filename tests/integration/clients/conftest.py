"""A server for other people's clients, and a kind of its own to work with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

JsonObject = dict[str, Any]


@pytest.fixture(scope="session")
def apiserver_crds() -> list[JsonObject]:
    """Widgets: a colour, and a status of their own."""
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
    names = {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]}
    manifest = {"group": "test.example.io", "scope": "Namespaced", "names": names, "versions": [version]}
    return [{"metadata": {"name": "widgets.test.example.io"}, "spec": manifest}]


@pytest.fixture
async def leak_check() -> AsyncIterator[None]:
    """Other people's clients keep temporary files and pools; that is not ours to check."""
    yield
