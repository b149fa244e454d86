"""What all levels promise about requests that clients send by hand: documents, and options that do not go together."""

from __future__ import annotations

import orjson
import pytest

from eso_core.client import Client
from eso_core.meta.errors import Invalid
from tests.contract.kinds import WIDGET

LISTING = "/api/v1/namespaces/default/configmaps"


async def test_kinds_are_described_in_openapi(level: Client) -> None:
    """T-32: an index with hashes; a document with kinds, actions, and the parameters that kubectl looks for."""
    index = orjson.loads(await level.raw("GET", "/openapi/v3"))["paths"]
    url = index[f"apis/{WIDGET.api_version}"]["serverRelativeURL"]
    path, _, query = url.partition("?")
    assert (path, query.partition("=")[0]) == (f"/openapi/v3/apis/{WIDGET.api_version}", "hash")
    document = orjson.loads(await level.raw("GET", path, query=query))
    kinds = [
        entry
        for schema in document["components"]["schemas"].values()
        for entry in schema.get("x-kubernetes-group-version-kind", [])
    ]
    assert {"group": WIDGET.group, "version": WIDGET.version, "kind": WIDGET.kind} in kinds
    operations = document["paths"][f"/apis/{WIDGET.api_version}/namespaces/{{namespace}}/widgets/{{name}}"]
    patch = operations["patch"]
    assert patch["x-kubernetes-action"] == "patch"
    assert {"application/merge-patch+json", "application/json-patch+json"} <= patch["requestBody"]["content"].keys()
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert orjson.loads(await level.raw("GET", "/openapi/v2"))["swagger"] == "2.0"


@pytest.mark.parametrize(
    "query",
    [
        "resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch=Exact&resourceVersion=0",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        "watch=true&sendInitialEvents=true",
    ],
)
async def test_options_that_do_not_go_together_are_invalid(level: Client, query: str) -> None:
    """T-36: a match without version, Exact of "0", initial events for a list, and without NotOlderThan."""
    with pytest.raises(Invalid) as caught:
        await level.raw("GET", LISTING, query=query)
    assert caught.value.code == 422
    assert "ListOptions.meta.k8s.io" in str(caught.value)
