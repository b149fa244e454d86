"""`eso explain` names what is to be done where it is to be done: the fixes, followed, help."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import yaml

from controllers.cli import explain
from eso_core.meta.wellknown import SECRET
from providers.errors import AccessDenied
from tests.integration.operator.harness import CSS, ES, SS, Cluster, JsonObject, running

GENERATORS = "generators.external-secrets.io/v1alpha1"
DATA: list[JsonObject] = [{"secretKey": "a", "remoteRef": {"key": "a"}}]


async def _explained(cluster: Cluster, folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(cluster.server.kubeconfig()))
    parser = argparse.ArgumentParser()
    explain.add_arguments(parser)
    code = await explain.run(parser.parse_args([*words, "-n", "t", "--kubeconfig", str(file)]))
    text = capsys.readouterr().out
    assert code == (1 if "BAD" in text else 0)
    return text


async def test_a_store_that_cannot_be_opened_is_one_finding_and_no_entry_is_blamed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --ask-store as well: the entries are right, the backend is not there."""
    async with running() as cluster:
        body = {"apiVersion": CSS.api_version, "kind": CSS.kind, "metadata": {"name": "a"}}
        await cluster.client.create(
            {**body, "spec": {"provider": {"aws": {"service": "SecretsManager", "region": "r"}}}}
        )
        await cluster.es("app", secretStoreRef={"kind": CSS.kind, "name": "a"}, data=DATA)
        await cluster.failed("app", "could not get secret data from provider")
        text = await _explained(cluster, tmp_path, capsys, "es/app", "--ask-store")
        assert text.count("BAD") == 1 and "fix: choose a backend that this operator has" in text
        assert "fix: choose a backend that this operator has" in await _explained(cluster, tmp_path, capsys, "css/a")


async def test_a_store_elsewhere_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the other kind, or in another namespace."""
    async with running() as cluster:
        await cluster.fake({"a": "1"}, name="wide")
        await cluster.namespace("other")
        await cluster.fake({"a": "1"}, name="narrow", kind=SS, namespace="other")
        for name, fix in (("wide", "write kind: ClusterSecretStore"), ("narrow", "there is one in namespace other")):
            await cluster.es(name, secretStoreRef={"name": name}, data=DATA)
            await cluster.failed(name, "could not get secret data from provider")
            assert fix in await _explained(cluster, tmp_path, capsys, f"es/{name}")


async def test_a_change_that_is_never_applied_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The object is Ready and says nothing; deleting the Secret, as advised, helps."""
    async with running() as cluster:
        await cluster.fake({"a": "1"})
        await cluster.es("app", refreshInterval="0", data=DATA)
        await cluster.synced("app")
        await cluster.patch(ES, "app", {"spec": {"data": [{"secretKey": "b", "remoteRef": {"key": "a"}}]}})
        text = await _explained(cluster, tmp_path, capsys, "es/app")
        assert "BAD spec: it has changed since the last sync, and refreshInterval 0 never applies it" in text
        assert "delete the Secret to have it made anew" in text
        await cluster.delete(SECRET, "app")
        await cluster.has_data("app", {"b": "1"})
        assert "BAD" not in await _explained(cluster, tmp_path, capsys, "es/app")


async def test_a_generator_of_an_unknown_kind_or_with_a_bad_spec_is_not_all_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is there, which does not help; the kind of failure is no defect of a store."""
    async with running() as cluster:
        metadata = {"name": "g", "namespace": "t"}
        ecr = {"region": "r"}
        await cluster.client.create(
            {"apiVersion": GENERATORS, "kind": "ECRAuthorizationToken", "metadata": metadata, "spec": ecr}
        )
        reference = {"apiVersion": GENERATORS, "kind": "ECRAuthorizationToken", "name": "g"}
        await cluster.es("app", dataFrom=[{"sourceRef": {"generatorRef": reference}}], secretStoreRef=None)
        await cluster.failed("app", "could not get secret data from provider")
        obj = await cluster.get(ES, "app")
        assert {c["reason"] for c in (obj or {})["status"]["conditions"]} == {"SecretSyncedError", "NotSupported"}
        text = await _explained(cluster, tmp_path, capsys, "es/app")
        assert "BAD ECRAuthorizationToken g: " in text and "fix: use a kind that this operator has" in text


async def test_a_bad_expression_is_a_defect_of_the_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not of the store, which is all right."""
    async with running() as cluster:
        await cluster.fake({"a": "1"})
        await cluster.es("app", dataFrom=[{"find": {"name": {"regexp": "("}}}])
        await cluster.failed("app", "could not get secret data from provider")
        obj = await cluster.get(ES, "app")
        assert {c["reason"] for c in (obj or {})["status"]["conditions"]} == {"SecretSyncedError", "InvalidSpec"}
        assert "fix: correct the field of the entry" in await _explained(
            cluster, tmp_path, capsys, "es/app", "--ask-store"
        )


async def test_a_secret_that_stays_as_it_is_and_the_credentials_of_a_refusal_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's immutable Secret; a store that refuses: either its credentials or their rights."""
    async with running() as cluster:
        await cluster.fake({"a": "1"})
        await cluster.secret("frozen", {"a": "theirs"}, immutable=True)
        await cluster.es("app", target={"name": "frozen"}, data=DATA)
        await cluster.failed("app", "could not update secret, target is immutable")
        text = await _explained(cluster, tmp_path, capsys, "es/app")
        assert text.count("BAD") == 1 and "BAD Secret frozen: it is immutable" in text
        cluster.probe.failure = AccessDenied("permission denied")
        await cluster.es("refused", data=DATA)
        await cluster.failed("refused", "could not get secret data from provider")
        text = await _explained(cluster, tmp_path, capsys, "es/refused")
        assert "renew the credentials of the store if they have expired" in text
        assert text.count("permission denied") == 3, "in the verdict, the finding and the event"
