"""Where a key is in Vault's API."""

from __future__ import annotations

import pytest

from providers import InvalidSpec
from providers.vault.paths import api_path, data_path, metadata_path


@pytest.mark.parametrize(
    ("mount", "version", "key", "expected"),
    [
        ("secret/path", "v2", "foo", "secret/path/data/foo"),
        ("secret/path", "v2", "secret/path/foo", "secret/path/data/foo"),
        ("secret/path", "v2", "secret/path/data/foo", "secret/path/data/foo"),
        ("secret/path", "v2", "data/foo", "secret/path/data/data/foo"),
        ("secret/path", "v1", "foo", "secret/path/foo"),
        ("secret/path", "v1", "secret/path/foo", "secret/path/foo"),
        ("secret", "v2", "secretive/foo", "secret/data/secretive/foo"),
        ("", "v2", "secret/path/foo", "secret/data/path/foo"),
        ("", "v2", "secret/path/data/foo", "secret/path/data/foo"),
        ("", "v2", "secret", "secret/data"),
        ("", "v1", "secret/path/foo", "secret/path/foo"),
    ],
)
def test_data_paths(mount: str, version: str, key: str, expected: str) -> None:
    """A repeated mount is cut off, ``data`` is put in where it is missing."""
    assert data_path(mount, version, key) == expected


@pytest.mark.parametrize(
    ("mount", "version", "key", "expected"),
    [
        ("secret", "v2", "mydata/app", "secret/metadata/mydata/app"),
        ("secret", "v2", "secret/app", "secret/metadata/secret/app"),
        ("secret", "v2", "", "secret/metadata/"),
        ("secret", "v1", "app/", "secret/app/"),
        ("", "v1", "secret/app", "secret/app"),
        ("", "v2", "appdata/data/svc", "appdata/metadata/svc"),
        ("", "v2", "secret/data/data/svc", "secret/metadata/data/svc"),
        ("", "v2", "secret/data", "secret/metadata"),
    ],
)
def test_metadata_paths(mount: str, version: str, key: str, expected: str) -> None:
    """The segment ``data`` is replaced, never a part of a name; the mount is not cut off."""
    assert metadata_path(mount, version, key) == expected


@pytest.mark.parametrize("key", ["app/svc", "appdata/svc", "data/svc", ""])
def test_metadata_needs_to_know_the_mount(key: str) -> None:
    """Without a mount path in the store, the key has to tell."""
    with pytest.raises(InvalidSpec, match=r"^provided Path isn't a valid kv v2 path"):
        metadata_path("", "v2", key)


def test_api_paths_are_encoded_segment_by_segment() -> None:
    """Empty segments go, reserved characters are escaped, leaving the mount is refused."""
    assert api_path("secret/data//a b/c%20d/e+f?g#h/") == "secret/data/a%20b/c%20d/e+f%3Fg%23h".replace(
        "c%20d", "c%2520d"
    )
    assert api_path("geheim/schlüssel") == "geheim/schl%C3%BCssel"
    for path in ("secret/../sys", "./secret", "secret/.."):
        with pytest.raises(InvalidSpec, match="are not allowed in a Vault path"):
            api_path(path)
