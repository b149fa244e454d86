"""One server in a thread for all tests of this folder."""

from __future__ import annotations

import pytest

from eso_core.testing.apiserver.background import BackgroundServer


@pytest.fixture(scope="session", autouse=True)
def widgets(apiserver: BackgroundServer) -> None:
    """Widgets: namespaced, with status and scale."""
    properties = {
        "spec": {
            "type": "object",
            "description": "What is wanted.",
            "properties": {
                "color": {"type": "string", "enum": ["red", "blue"], "description": "The color of the widget."},
                "replicas": {"type": "integer", "minimum": 0, "default": 1},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}],
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    names = {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]}
    spec = {"group": "test.example.io", "scope": "Namespaced", "names": names, "versions": [version]}
    apiserver.install({"metadata": {"name": "widgets.test.example.io"}, "spec": spec})


@pytest.fixture(autouse=True)
def leak_check() -> None:
    """Not here: other people's clients leave descriptors behind, and the shared server outlives each test."""
