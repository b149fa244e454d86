"""A small custom kind with every sort of list and map, for tests of field ownership."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def widget() -> dict[str, Any]:
    """Schema of a custom kind: set, map and atomic lists, atomic and free objects."""
    text = {"type": "string"}
    port = {
        "type": "object",
        "required": ["port"],
        "properties": {"port": {"type": "integer"}, "protocol": {**text, "default": "TCP"}, "name": text},
    }
    spec = {
        "type": "object",
        "properties": {
            "color": text,
            "replicas": {"type": "integer"},
            "on": {"type": "boolean"},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
            "words": {"type": "array", "x-kubernetes-list-type": "atomic", "items": text},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": port,
            },
            "options": {"type": "object", "additionalProperties": text},
            "sealed": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": text, "b": text}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "nested": {"type": "object", "properties": {"x": text, "y": {"type": "object", "properties": {"z": text}}}},
            "size": {"x-kubernetes-int-or-string": True},
        },
    }
    status = {"type": "object", "properties": {"phase": text}}
    return {"type": "object", "properties": {"spec": spec, "status": status}}
