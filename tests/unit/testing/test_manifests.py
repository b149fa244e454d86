"""Definitions out of files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from eso_core.testing.manifests import definitions

CRD = "kind: CustomResourceDefinition\nmetadata: {name: %s}\n"


def names(*paths: Path) -> list[str]:
    return [item["metadata"]["name"] for item in definitions(paths)]


def test_folders_give_their_files_by_name(tmp_path: Path) -> None:
    """YAML and JSON, several documents per file, lists; other kinds and other files are passed over."""
    (tmp_path / "b.yaml").write_text(CRD % "two" + "---\nkind: Namespace\n---\n" + CRD % "three" + "---\n")
    (tmp_path / "a.json").write_text('{"kind": "CustomResourceDefinition", "metadata": {"name": "one"}}')
    (tmp_path / "c.yml").write_text(
        "kind: List\nitems:\n- " + (CRD % "four").replace("\n", "\n  ").rstrip() + "\n- kind: Secret\n"
    )
    (tmp_path / "notes.txt").write_text(CRD % "none")
    assert names(tmp_path) == ["one", "two", "three", "four"]
    assert names(tmp_path / "c.yml", tmp_path / "a.json") == ["four", "one"]


def test_a_missing_path_and_a_broken_file_are_named(tmp_path: Path) -> None:
    """The message says which."""
    with pytest.raises(FileNotFoundError, match="reading definitions: .*nowhere does not exist"):
        definitions([tmp_path / "nowhere"])
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"reading definitions: .*bad\.yaml"):
        definitions([tmp_path])
