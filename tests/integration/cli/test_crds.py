"""`eso crds` prints, writes, checks and installs the definitions."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.api import ClusterSecretStore, ExternalSecret, all_crds
from controllers.cli import crds
from eso_core.client import Client, config_from_kubeconfig
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ApiError, Invalid, UnsupportedMediaType
from eso_core.meta.wellknown import CRD
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.clock import FakeClock
from tests.integration.cluster import cluster

NAMES = [crd["metadata"]["name"] for crd in all_crds()]
ES = "externalsecrets.external-secrets.io"
CSS = "clustersecretstores.external-secrets.io"


def arguments(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    crds.add_arguments(parser)
    return parser.parse_args(flags)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with cluster() as kube:
        yield kube.server  # these tests need a cluster without the product's definitions


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with Client(config_from_kubeconfig(server.kubeconfig()), user_agent="tests") as made:
        yield made


async def test_without_flags_all_definitions_are_printed_as_yaml_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """`eso crds | kubectl apply -f -` installs them."""
    assert await crds.run(arguments()) == 0
    printed = list(yaml.load_all(capsys.readouterr().out, Loader=yaml.CSafeLoader))
    assert printed == all_crds()
    assert {ES, CSS, "secretstores.external-secrets.io", "pushsecrets.external-secrets.io"} <= set(NAMES)
    assert sorted(NAMES) == sorted(set(NAMES))


async def test_a_folder_that_was_written_passes_the_check_until_something_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names each stale file and what to do."""
    folder = tmp_path / "deep" / "crds"
    assert await crds.run(arguments("--output-dir", str(folder))) == 0
    assert await crds.run(arguments("--check", str(folder))) == 0
    assert capsys.readouterr() == ("", "")

    (folder / "external-secrets.io_secretstores.yaml").unlink()
    (folder / "external-secrets.io_externalsecrets.yaml").write_text("changed")
    (folder / "left.yaml").write_text("over")
    assert await crds.run(arguments("--check", str(folder))) == 1
    assert capsys.readouterr().err == (
        "eso crds: external-secrets.io_externalsecrets.yaml, external-secrets.io_secretstores.yaml, left.yaml "
        f"in {folder} differ from the models: run eso crds --output-dir {folder}\n"
    )


async def test_apply_installs_them_so_that_objects_of_both_versions_are_taken(
    server: ApiServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Applying again changes nothing."""
    kubeconfig = tmp_path / "kubeconfig"
    server.write_kubeconfig(kubeconfig)
    assert await crds.run(arguments("--apply", "--kubeconfig", str(kubeconfig))) == 0
    assert capsys.readouterr().out.splitlines() == [f"customresourcedefinition/{name} applied" for name in NAMES]
    first = await client.get(CRD, ObjectKey("", ES))
    assert {entry["manager"] for entry in first["metadata"]["managedFields"]} >= {"eso"}

    assert await crds.run(arguments("--apply", "--kubeconfig", str(kubeconfig))) == 0
    again = await client.get(CRD, ObjectKey("", ES))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    old = {
        "apiVersion": "external-secrets.io/v1beta1",
        "kind": "ExternalSecret",
        "metadata": {"name": "old", "namespace": "default"},
        "spec": {"refreshInterval": 0, "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]},
    }
    await client.create(old)
    read = await client.get(ExternalSecret, ObjectKey("default", "old"))
    assert read.spec is not None
    assert (read.spec.refresh_interval, read.spec.target.creation_policy) == (0, "Owner")
    assert read.spec.data is not None
    assert read.spec.data[0].remote_ref.decoding_strategy == "None"


async def test_what_an_older_release_left_in_a_definition_gives_way(client: Client) -> None:
    """Its conversion webhook, which another field manager owns, would make every apply fail."""
    crd = next(c for c in all_crds() if c["metadata"]["name"] == CSS)
    webhook = {"clientConfig": {"url": "https://example.org/convert"}, "conversionReviewVersions": ["v1"]}
    older: dict[str, Any] = {
        **crd,
        "metadata": {"name": CSS, "labels": {"app": "older"}, "annotations": {"kept": "yes"}},
        "spec": {**crd["spec"], "conversion": {"strategy": "Webhook", "webhook": webhook}},
    }
    await client.create(older, field_manager="helm")
    with pytest.raises(Invalid):
        await client.apply(crd, "eso", force=True)

    assert await crds.install(client) == NAMES
    live = await client.get(CRD, ObjectKey("", CSS))
    assert live["spec"]["conversion"] == {"strategy": "None"}
    assert live["metadata"]["labels"] == {"app": "older", "external-secrets.io/component": "controller"}
    assert live["metadata"]["annotations"] == {"kept": "yes"}
    assert (await client.list(ClusterSecretStore)).items == []


async def test_a_server_without_apply_is_written_to(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create where there is nothing, replace where there is something."""

    async def refuse(*_: Any, **__: Any) -> None:
        raise UnsupportedMediaType("no apply here")

    monkeypatch.setattr(client, "apply", refuse)
    assert await crds.install(client) == NAMES
    assert await crds.install(client) == NAMES


async def test_a_definition_that_the_server_refuses_is_an_error(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server says reaches the user."""
    broken = next(crd for crd in all_crds() if crd["metadata"]["name"] == CSS)
    broken["spec"]["names"]["plural"] = "others"
    monkeypatch.setattr(crds, "all_crds", lambda: [broken])
    with pytest.raises(ApiError, match=r"clustersecretstores\.external-secrets\.io.*metadata\.name: Invalid value"):
        await crds.install(client)


async def test_definitions_that_are_never_served_are_named(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 30 s, with what to do."""
    clock = FakeClock()
    clock.auto = True
    monkeypatch.setattr(crds, "_established", lambda crd: crd["metadata"]["name"] == NAMES[0])
    config = config_from_kubeconfig(server.kubeconfig())
    missing = ", ".join(NAMES[1:])
    async with Client(config, user_agent="tests", clock=clock) as client:
        with pytest.raises(crds.DefinitionsNotServed, match=f"not served after 30 s: {missing}: see"):
            await crds.install(client)
