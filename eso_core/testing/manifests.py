"""Reads CustomResourceDefinitions from files and folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

__all__ = ["definitions"]

JsonObject = dict[str, Any]

_LOADER: Any = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # five times as fast, where libyaml was there at build time


def definitions(paths: Iterable[Path | str]) -> list[JsonObject]:
    """The CustomResourceDefinitions in YAML or JSON files; of a folder all such files in it, by name.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A file is no YAML.
    """
    found: list[JsonObject] = []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"reading definitions: {path} does not exist")
        for file in sorted(_files(path)):
            try:
                documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _LOADER))
            except yaml.YAMLError as error:
                raise ValueError(f"reading definitions: {file}: {error}") from error
            for document in documents:
                items = document.get("items") if isinstance(document, dict) and "items" in document else [document]
                found += [item for item in items or () if isinstance(item, dict) and _is_definition(item)]
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.iterdir() if file.suffix in (".yaml", ".yml", ".json") and file.is_file()]


def _is_definition(item: JsonObject) -> bool:
    return item.get("kind") == "CustomResourceDefinition"
