"""Manifests are read from files and folders, and a bad one is named."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from controllers.cli.dev import _hints
from controllers.cli.manifests import Manifest, ManifestError, load

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
STORE = "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: st, namespace: a}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"


def test_a_folder_is_read_recursively_and_what_others_need_comes_first(tmp_path: Path) -> None:
    """Namespaces before Secrets before the rest, whatever the file names say."""
    (tmp_path / "a.yaml").write_text(STORE + "---\n" + SECRET)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "z.yml").write_text("---\n" + NAMESPACE + "---\n")
    (tmp_path / "README.md").write_text("not a manifest")
    assert [m.title for m in load([tmp_path])] == ["Namespace a", "Secret s", "SecretStore a/st"]


def test_lists_are_opened(tmp_path: Path) -> None:
    """`kind: List`, as `kubectl get -o yaml` prints it, holds objects."""
    (tmp_path / "l.json").write_text(
        '{"kind":"List","apiVersion":"v1","items":[{"kind":"Secret","apiVersion":"v1","metadata":{"name":"x"}}]}'
    )
    assert [m.title for m in load([tmp_path / "l.json"])] == ["Secret x"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [1\nb: 2\n", "m.yaml:2: not valid YAML"),
        ("- 1\n", "m.yaml: expected a Kubernetes object, found list"),
        ("kind: Secret\nmetadata: {name: x}\n", "m.yaml: apiVersion is missing"),
        (SECRET + "---\napiVersion: v1\nkind: Secret\nmetadata: {}\n", "m.yaml, document 2: metadata.name is missing"),
    ],
)
def test_a_bad_document_is_named_with_file_and_place(tmp_path: Path, content: str, told: str) -> None:
    """The message leads to the spot."""
    (tmp_path / "m.yaml").write_text(content)
    with pytest.raises(ManifestError) as error:
        load([tmp_path / "m.yaml"])
    assert told in str(error.value)


def test_missing_paths_and_empty_folders_are_errors(tmp_path: Path) -> None:
    """A typo in -f must not look like success."""
    with pytest.raises(ManifestError, match="nope: no such file or folder"):
        load([tmp_path / "nope"])
    with pytest.raises(ManifestError, match="no .yaml, .yml, .json file in this folder"):
        load([tmp_path])


def test_standard_input_is_read_and_urls_are_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-f -`; a URL is no path with a slash missing."""
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET))
    assert [(m.source, m.body["kind"]) for m in load(["-"])] == [("standard input", "Secret")]
    monkeypatch.setattr("sys.stdin", io.StringIO("a: [1\nb: 2\n"))
    with pytest.raises(ManifestError, match="standard input:2: not valid YAML"):
        load(["-"])
    with pytest.raises(
        ManifestError, match=r"https://example\.org/x\.yaml: .*no URLs: curl -fsSL https://example\.org/x\.yaml"
    ):
        load(["https://example.org/x.yaml"])


def test_the_hints_are_about_an_external_secret_that_is_there() -> None:
    """One that was refused is nothing to look at."""
    there = Manifest("m.yaml", {"kind": "ExternalSecret", "metadata": {"name": "app", "namespace": "t"}})
    assert any("get secret app -n t" in line for line in _hints(Path("kubeconfig"), [there]))
    assert any("explain externalsecret.spec" in line for line in _hints(Path("kubeconfig"), []))
