"""`eso explain` and `eso diff` on a cluster, as a user runs them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import yaml

from controllers.cli import diff, explain
from controllers.cli.manifests import ManifestError
from eso_core.meta.wellknown import NAMESPACE
from tests.integration.operator.harness import CSS, ES, Cluster, JsonObject, running

PLANTED = "planted-value"


def _data(*keys: str) -> list[JsonObject]:
    return [{"secretKey": f"k{index}", "remoteRef": {"key": key}} for index, key in enumerate(keys)]


async def _run(cluster: Cluster, folder: Path, command: str, *words: str) -> int:
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(cluster.server.kubeconfig()))
    module = {"explain": explain, "diff": diff}[command]
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return await module.run(parser.parse_args([*words, "-n", "t", "--kubeconfig", str(file)]))


async def test_a_missing_remote_key_is_found_with_and_without_asking_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict names entry, store and key, and says what to do."""
    async with running() as cluster:
        await cluster.fake({"there": PLANTED})
        await cluster.es("app", data=_data("there", "missing"))
        await cluster.failed("app", "could not get secret data from provider")
        assert await _run(cluster, tmp_path, "explain", "es/app") == 1
        text = capsys.readouterr().out
        assert text.startswith(
            'ExternalSecret t/app: object: spec.data[1], ClusterSecretStore "fake", key "missing": Secret does not exist'
        )
        assert (
            "fix: put the secret into the store, correct the remote key, or mark the entry with optional: true" in text
        )
        assert await _run(cluster, tmp_path, "explain", "externalsecret/app", "--ask-store", "-o", "json") == 1
        shown = json.loads(capsys.readouterr().out)
        assert shown["verdict"] == 'spec.data[1], ClusterSecretStore "fake", key "missing": Secret does not exist'
        graded = {finding["subject"]: finding["grade"] for finding in shown["findings"]}
        assert graded['spec.data[0], ClusterSecretStore "fake", key "there"'] == "ok"
        assert PLANTED not in json.dumps(shown) + text


async def test_the_chain_is_followed_to_the_credentials_of_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ExternalSecret, store, the Secret that it logs in with, its key."""
    async with running() as cluster:
        token = {"tokenSecretRef": {"name": "token", "key": "t", "namespace": "t"}}
        provider = {"vault": {"server": "http://127.0.0.1:9", "auth": token}}
        body = {
            "apiVersion": CSS.api_version,
            "kind": CSS.kind,
            "metadata": {"name": "v"},
            "spec": {"provider": provider},
        }
        await cluster.client.create(body)
        await cluster.es("app", secretStoreRef={"kind": "ClusterSecretStore", "name": "v"}, data=_data("k"))
        await cluster.failed("app", "could not get secret data from provider")
        await cluster.eventually(lambda: cluster.ready("v", kind=CSS))
        assert await _run(cluster, tmp_path, "explain", "es/app") == 1
        text = capsys.readouterr().out
        assert "BAD ClusterSecretStore v: " in text
        assert "BAD Secret t/token: spec.provider.vault.auth.tokenSecretRef names it, and it is not there" in text
        await cluster.secret("token", {"other": PLANTED})
        assert await _run(cluster, tmp_path, "explain", "css/v") == 1
        text = capsys.readouterr().out
        assert 'spec.provider.vault.auth.tokenSecretRef names its key "t", which it does not have' in text
        assert "fix: it has: other" in text and PLANTED not in text


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"secretStoreRef": {"name": "none"}}, "SecretStore none: there is none of this name in namespace t"),
        ({"secretStoreRef": {"kind": "ClusterSecretStore", "name": "closed"}}, "does not admit namespace t"),
        ({"refreshInterval": "1d"}, "spec.refreshInterval: "),
        ({"target": {"name": "gone", "creationPolicy": "Merge"}}, "there is no Secret to merge into"),
        ({"target": {"name": "theirs"}}, "it is controlled by ExternalSecret other"),
    ],
)
async def test_every_broken_link_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: JsonObject, wanted: str
) -> None:
    """A store that is not there or not for us, a field, a target."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.fake({"k": "v"}, name="closed", conditions=[{"namespaces": ["elsewhere"]}])
        await cluster.es("other", target={"name": "theirs"}, data=_data("k"))
        await cluster.synced("other")
        await cluster.es("app", **{"data": _data("k"), **spec})

        async def seen() -> bool:
            return bool(await cluster.ready("app"))

        await cluster.eventually(seen)
        assert await _run(cluster, tmp_path, "explain", "es/app") == 1
        assert wanted in capsys.readouterr().out


async def test_what_is_all_right_is_said_and_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stores, cluster kinds and PushSecrets as well; what is not there is an error."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.patch(NAMESPACE, "t", {"metadata": {"labels": {"team": "blue"}}})
        await cluster.es("app", data=_data("k"))
        await cluster.synced("app")
        assert await _run(cluster, tmp_path, "explain", "es/app") == 0
        assert "nothing that can be seen from here is wrong" in capsys.readouterr().out
        assert await _run(cluster, tmp_path, "explain", "css/fake") == 0
        for wrong, text in (("es/none", "there is none"), ("pod/x", "write KIND/NAME"), ("es", "write KIND/NAME")):
            with pytest.raises(ManifestError, match=text):
                await _run(cluster, tmp_path, "explain", wrong)


async def test_diff_shows_keys_lengths_and_hashes_and_no_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what the next sync would do; it writes nothing."""
    async with running() as cluster:
        await cluster.fake({"a": PLANTED, "b": "old"})
        await cluster.es("app", refreshInterval="0", data=_data("a", "b"))
        await cluster.synced("app")
        assert await _run(cluster, tmp_path, "diff", "app") == 0
        assert capsys.readouterr().out == "ExternalSecret t/app: nothing would change\n"
        await cluster.set_fake({"a": PLANTED, "b": "newer-planted"})
        template = {"template": {"metadata": {"labels": {"l": "x"}}, "data": {"k1": "{{ .k1 }}", "new": "{{ .k0 }}"}}}
        await cluster.patch(ES, "app", {"spec": {"target": template}})
        assert await _run(cluster, tmp_path, "diff", "app", "-o", "json") == 1
        text = capsys.readouterr().out
        (shown,) = json.loads(text)
        marks = {(d["sign"], d["what"], d["name"]) for d in shown["differences"]}
        assert {("-", "key", "k0"), ("~", "key", "k1"), ("+", "key", "new"), ("+", "label", "l")} <= marks
        details = {d["name"]: d["detail"] for d in shown["differences"]}
        assert details["k1"].startswith("3 bytes #") and " -> 13 bytes #" in details["k1"]
        assert "planted" not in text
        assert await cluster.data("app") == {"k0": PLANTED, "k1": "old"}
        await cluster.patch(ES, "app", {"spec": {"data": _data("missing")}})
        with pytest.raises(ManifestError, match=r"the next sync would fail: .*Secret does not exist"):
            await _run(cluster, tmp_path, "diff", "app")
