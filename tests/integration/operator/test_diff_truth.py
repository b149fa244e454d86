"""`eso diff` and the sync that follows it say the same."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import yaml

from controllers.cli import diff
from controllers.cli.manifests import ManifestError
from providers.errors import AccessDenied
from tests.integration.operator.harness import ES, Cluster, JsonObject, running

GENERATORS = "generators.external-secrets.io/v1alpha1"
DATA: list[JsonObject] = [{"secretKey": "a", "remoteRef": {"key": "a"}}]


async def _diff(cluster: Cluster, folder: Path, *names: str) -> int:
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(cluster.server.kubeconfig()))
    parser = argparse.ArgumentParser()
    diff.add_arguments(parser)
    return await diff.run(parser.parse_args([*names, "-n", "t", "--kubeconfig", str(file)]))


@pytest.mark.parametrize(
    ("target", "message", "found"),
    [
        ({"name": "frozen"}, "could not update secret, target is immutable", "is immutable"),
        ({"template": {"type": "kubernetes.io/tls"}}, "could not update secret", r"tls\.crt"),
        ({"name": "typed", "template": {"type": "example.org/x"}}, "could not update secret", "field is immutable"),
    ],
)
async def test_what_the_sync_refuses_is_refused(tmp_path: Path, target: JsonObject, message: str, found: str) -> None:
    """An immutable Secret, one that the API server finds invalid; the other names are looked at all the same."""
    async with running() as cluster:
        await cluster.fake({"a": "planted"})
        await cluster.secret("frozen", {"a": "theirs"}, immutable=True)
        await cluster.secret("typed", {"a": "theirs"})
        await cluster.es("app", target=target, data=DATA)
        await cluster.failed("app", message)
        await cluster.es("fine", data=DATA)
        await cluster.synced("fine")
        with pytest.raises(ManifestError, match=rf"t/app: the next sync would fail: .*{found}") as caught:
            await _diff(cluster, tmp_path, "app", "fine")
        assert "t/fine" not in str(caught.value) and "planted" not in str(caught.value)


async def test_generators_are_told_and_not_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New values at each sync, but for objects that are never synced again; a missing one fails the sync."""
    async with running() as cluster:
        metadata = {"name": "p", "namespace": "t"}
        await cluster.client.create({"apiVersion": GENERATORS, "kind": "Password", "metadata": metadata, "spec": {}})

        def made(name: str) -> list[JsonObject]:
            return [{"sourceRef": {"generatorRef": {"apiVersion": GENERATORS, "kind": "Password", "name": name}}}]

        await cluster.fake({"a": "planted"})
        template = {"template": {"data": {"url": "{{ .password }}@{{ .a }}"}}}
        await cluster.es("app", dataFrom=made("p"))
        await cluster.es("shaped", dataFrom=made("p"), data=DATA, target=template)
        await cluster.es("once", dataFrom=made("p"), refreshInterval="0")
        for name in ("app", "shaped", "once"):
            await cluster.synced(name)
        assert await _diff(cluster, tmp_path, "app", "shaped") == 1
        text = capsys.readouterr().out
        assert text.count("~ values Password/p  made anew at each sync") == 2 and "nothing would change" not in text
        assert await _diff(cluster, tmp_path, "once") == 0
        assert "nothing would change" in capsys.readouterr().out
        await cluster.es("lost", dataFrom=made("none"))
        with pytest.raises(ManifestError, match='"none" not found'):
            await _diff(cluster, tmp_path, "lost")


async def test_changes_that_are_not_due_and_former_targets_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """refreshInterval 0 never applies it; a renamed target takes the old Secret along."""
    async with running() as cluster:
        await cluster.fake({"a": "1"})
        await cluster.es("app", refreshInterval="0", target={"name": "before"}, data=DATA)
        await cluster.synced("app")
        await cluster.patch(ES, "app", {"spec": {"data": [{"secretKey": "b", "remoteRef": {"key": "a"}}]}})
        assert await _diff(cluster, tmp_path, "app") == 1
        text = capsys.readouterr().out
        assert "no sync is due: refreshInterval 0 never applies it" in text and "+ key b" in text
        cluster.probe.failure = AccessDenied("not now")  # asks the operator to wait; the diff has a client of its own
        await cluster.patch(ES, "app", {"spec": {"target": {"name": "after"}}})
        await cluster.failed("app", "could not get secret data from provider")
        assert await _diff(cluster, tmp_path, "app") == 1
        text = capsys.readouterr().out
        assert "+ secret after" in text and "- secret before  it was the target before" in text
        cluster.probe.failure = None
        await cluster.poke("app")
        await cluster.has_data("after", {"b": "1"})
        await cluster.has_data("before", None)


async def test_what_is_not_ours_is_not_deleted(tmp_path: Path) -> None:
    """deletionPolicy Delete, values that are gone, and a Secret of the name that somebody else made."""
    async with running() as cluster:
        await cluster.fake({"b": "1"})
        await cluster.secret("theirs", {"a": "1"})
        await cluster.es("app", target={"name": "theirs", "deletionPolicy": "Delete"}, data=DATA)
        await cluster.failed("app", "could not delete secret")
        with pytest.raises(ManifestError, match="this ExternalSecret does not own it"):
            await _diff(cluster, tmp_path, "app")
        assert await cluster.data("theirs") == {"a": "1"}
