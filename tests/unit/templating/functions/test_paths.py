"""Paths are handled by their text alone."""

from __future__ import annotations

import pytest

from controllers.templating.functions import paths as p


@pytest.mark.parametrize(
    ("path", "clean", "base", "directory", "extension"),
    [
        ("", ".", ".", ".", ""),
        ("/", "/", "/", "/", ""),
        ("//a//b/", "/a/b", "b", "/a/b", ""),
        ("/../a/./b/..", "/a", "..", "/a/b", "."),
        ("../../a.tar.gz", "../../a.tar.gz", "a.tar.gz", "../..", ".gz"),
        ("a/../..", "..", "..", ".", "."),
        (".bashrc", ".bashrc", ".bashrc", ".", ".bashrc"),
    ],
)
def test_paths_are_cut_and_cleaned(path: str, clean: str, base: str, directory: str, extension: str) -> None:
    """As Go's package path does on Unix."""
    found = [f(path.encode()).decode() for f in (p.clean, p.base, p.directory, p.extension)]
    assert found == [clean, base, directory, extension]
    assert p.is_absolute(path.encode()) is path.startswith("/")
