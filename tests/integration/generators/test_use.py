"""What ExternalSecrets make of generated values, and where no value is seen."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from eso_core.log import configure_logging
from eso_core.meta.wellknown import EVENT
from tests.integration.operator.harness import ES, Cluster, JsonObject, running

API = "generators.external-secrets.io/v1alpha1"


def ref(kind: str, name: str = "g") -> JsonObject:
    return {"sourceRef": {"generatorRef": {"apiVersion": API, "kind": kind, "name": name}}}


async def create(cluster: Cluster, of_kind: str, name: str = "g", *, namespace: str = "t", **spec: Any) -> None:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    await cluster.client.create({"apiVersion": API, "kind": of_kind, "metadata": metadata, "spec": spec})


async def test_two_references_are_two_results_and_later_entries_win() -> None:
    """Names do not matter: nothing is shared."""
    async with running() as cluster:
        await create(cluster, "UUID")
        await create(cluster, "Fake", data={"second": "from fake", "own": "x"})
        rename = {"regexp": {"source": "uuid", "target": "second"}}
        await cluster.es("app", dataFrom=[ref("UUID"), {**ref("UUID"), "rewrite": [rename]}])
        await cluster.es("won", dataFrom=[{**ref("UUID"), "rewrite": [rename]}, ref("Fake")])
        await cluster.synced("app")
        await cluster.synced("won")
        data = await cluster.data("app")
        assert data is not None and set(data) == {"uuid", "second"} and data["uuid"] != data["second"]
        assert await cluster.data("won") == {"second": "from fake", "own": "x"}


async def test_a_cluster_generator_serves_every_namespace_with_its_own_secrets() -> None:
    """A namespace in a selector does not count."""
    async with running() as cluster:
        await cluster.namespace("u")
        selector = {"name": "seed", "key": "s", "namespace": "u"}
        mfa = {"secret": selector, "length": 8, "when": "2005-03-18T01:58:29Z"}
        await create(cluster, "ClusterGenerator", namespace="", kind="MFA", generator={"mfaSpec": mfa})
        await cluster.secret("seed", {"s": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"})
        for namespace in ("t", "u"):
            await cluster.es("app", namespace=namespace, dataFrom=[ref("ClusterGenerator")])
        await cluster.has_data("app", {"token": "07081804", "timeLeft": "1"})
        await cluster.failed("app", "could not get secret data from provider", namespace="u")
        part = "error using generator: failed to find secret for token key: "
        assert '"seed"' in await cluster.has_event("app", "Warning", "UpdateFailed", part, namespace="u")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({**ref("Fake"), "rewrite": [{"regexp": {"source": "$", "target": "/bad"}}]}, "invalid secret keys"),
        ({**ref("Fake"), "rewrite": [{"regexp": {"source": "(", "target": "x"}}]}, "error applying rewrite to keys: "),
        (ref("Fake", "none"), 'unable to get generator: Fake.generators.external-secrets.io "none" not found'),
        (ref("GithubAccessToken", "gh"), "unable to get generator: generator not found: this operator has no GithubAccessToken"),
    ],
)  # fmt: skip
async def test_what_is_wrong_names_the_entry(entry: JsonObject, text: str) -> None:
    """In the event; the condition has the words of the original."""
    async with running() as cluster:
        await create(cluster, "Fake", data={"k": "planted-value"})
        key = {"privateKey": {"secretRef": {"name": "s", "key": "k"}}}
        await create(cluster, "GithubAccessToken", "gh", appID="1", installID="2", auth=key)
        await cluster.es("app", dataFrom=[entry])
        await cluster.failed("app", "could not get secret data from provider")
        message = await cluster.has_event("app", "Warning", "UpdateFailed", text)
        assert message.startswith("error processing spec.dataFrom[0].sourceRef.generatorRef, err: ")
        obj = await cluster.get(ES, "app")
        assert "planted" not in message + str(obj)


async def test_a_generator_that_comes_later_heals_its_users() -> None:
    """By back-off: nobody has to touch them."""
    async with running() as cluster:
        await cluster.es("app", dataFrom=[ref("Fake")])
        await cluster.failed("app", "could not get secret data from provider")
        await create(cluster, "Fake", data={"k": "v"})
        await cluster.has_data("app", {"k": "v"})


async def test_no_generated_value_is_seen_anywhere_else(tmp_path: Path) -> None:
    """Not in the log at its most talkative, in events, or in any object but the Secret."""
    file = tmp_path / "log"
    async with running() as cluster:
        configure_logging(level="debug", format="json", file=file, sample=False)
        await create(cluster, "Password", length=40, digits=5, symbols=0, allowRepeat=True, noUpper=False)
        await create(cluster, "SSHKey", keyType="ed25519")
        template = {"data": {"password": "{{ .password }}", "key": "{{ .privateKey }}"}}
        await cluster.es("app", dataFrom=[ref("Password"), ref("SSHKey")], target={"template": template})
        await cluster.synced("app")
        first = await cluster.data("app")
        await cluster.poke("app")
        await cluster.synced("app")
        second = await cluster.data("app")
        template = {"data": {"x": "{{ fail .password }}"}}
        await cluster.patch(ES, "app", {"spec": {"target": {"template": template}}})
        await cluster.failed("app", "could not update secret")
        events = (await cluster.client.list(EVENT, "t")).items
        seen = str(events) + str(await cluster.get(ES, "app"))
    configure_logging(level="error", format="json")  # closes the file
    seen += file.read_text()
    for data in (first, second):
        assert data is not None and re.fullmatch("[A-Za-z0-9]{40}", data["password"])
        for value in (data["password"], data["key"].splitlines()[1]):
            assert value not in seen and base64.b64encode(value.encode()).decode().rstrip("=")[:-1] not in seen
