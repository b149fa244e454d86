"""Where a key is in the API of a KV mount. Pure functions of the store's mount path, KV version and the key."""

from __future__ import annotations

from urllib.parse import quote

from providers.errors import InvalidEntry, InvalidSpec

__all__ = ["api_path", "data_path", "metadata_path"]


def data_path(mount: str, version: str, key: str) -> str:
    """The path that reads a secret.

    Args:
        mount: ``spec.provider.vault.path``, empty when the mount is the first segment of every key.
        version: ``v1`` or ``v2``.
        key: ``remoteRef.key``; a mount (and ``data/``) in front of it is not repeated.
    """
    if mount:
        if key.startswith(f"{mount}/"):
            key = key.removeprefix(f"{mount}/")
            if version == "v2":
                key = key.removeprefix("data/")
        return f"{mount}/data/{key}" if version == "v2" else f"{mount}/{key}"
    if version == "v1" or "/data/" in key:
        return key
    first, slash, rest = key.partition("/")
    return f"{first}/data/{rest}" if slash else f"{first}/data"


def metadata_path(mount: str, version: str, key: str) -> str:
    """The path that lists a folder, and for ``v2`` reads a secret's metadata.

    Raises:
        InvalidSpec: Without a mount path, a ``v2`` key has to contain the segment ``data``.
    """
    if version == "v1":
        return f"{mount}/{key}" if mount else key
    if mount:
        return f"{mount}/metadata/{key}"
    # The mount is what stands before the first segment that is exactly "data", not before the first text "data".
    head, separator, tail = key.partition("/data/")
    if separator:
        return f"{head}/metadata/{tail}"
    if key.endswith("/data"):
        return f"{key.removesuffix('/data')}/metadata"
    raise InvalidSpec(
        "provided Path isn't a valid kv v2 path: without spec.provider.vault.path, keys are written MOUNT/data/NAME"
    )


def api_path(path: str) -> str:
    """A path as it stands in the URL: segments percent-encoded, no empty ones.

    Raises:
        InvalidEntry: A segment is ``.`` or ``..``, which would leave the mount.
    """
    segments = [segment for segment in path.split("/") if segment]
    if any(segment in (".", "..") for segment in segments):
        raise InvalidEntry(f'path "{path}": the segments "." and ".." are not allowed in a Vault path')
    return "/".join(quote(segment, safe="-._~!$&'()*+,;=:@") for segment in segments)
