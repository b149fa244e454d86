"""Pushing into a KV mount, and taking back what was pushed.

What is there is read first and written only when it would change; secrets without our mark are nobody's to touch. On KV v2
each write names the version it was made of (check-and-set), so that two writers of one secret never undo each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final, Protocol
from weakref import WeakValueDictionary

from providers.errors import InvalidData, InvalidEntry, ProviderError, Unavailable
from providers.gojson import JsonValue, Number, decode, encode
from providers.interface import PushData, RemoteRef
from providers.vault.http import Answer
from providers.vault.paths import data_path, metadata_path

__all__ = ["Writer"]

_MARK: Final = "managed-by"
_OURS: Final = "external-secrets"
_CUSTOM: Final = "custom_metadata"
_TRIES: Final = 3
"""How often a write begins anew because somebody else wrote at the same time."""


class Request(Protocol):
    """Sends an authenticated request; None is "nothing there"."""

    def __call__(
        self, method: str, path: str, *, call: str, body: dict[str, JsonValue] | None = None
    ) -> Awaitable[Answer | None]: ...


class _Raced(Exception):
    """The secret is not the version any more that the write was made of."""


@dataclass(frozen=True, slots=True)
class _Current:
    """A secret as it is; `members` is None when there is none, or its latest version is deleted. repr shows no content."""

    members: dict[str, JsonValue] | None = field(repr=False)
    version: int = 0
    custom: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.custom.get(_MARK) == _OURS


class Writer:
    """Writes one mount.

    Args:
        request: To the server.
        mount: Mount path, empty when keys begin with it.
        version: `v1` or `v2`.
    """

    def __init__(self, request: Request, *, mount: str, version: str) -> None:
        self._request = request
        self._mount = mount
        self._version = version
        # KV v1 has no check-and-set: at least our own writers take turns.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def push(self, values: Mapping[str, bytes], data: PushData) -> None:
        """Write the value, or the property, if it is not there like this.

        Raises:
            InvalidData: The value does not fit, or the secret is somebody else's.
        """
        _check_key(data.remote_key)

        async def once() -> None:
            current = await self._current(data.remote_key)
            if current.members is not None and not current.ours:
                raise InvalidData(
                    f'secret not managed by external-secrets: "{data.remote_key}" was not made by a PushSecret, '
                    "or has lost its mark: push to another key, or set custom_metadata managed-by=external-secrets on it"
                )
            wanted = _desired(current.members, values, data)
            if current.members is None or not _same(wanted, current.members):
                await self._write(data.remote_key, current, wanted, call="WriteSecretData")

        await self._in_turn(data.remote_key, once)

    async def delete(self, ref: RemoteRef) -> None:
        """Remove a property, or the whole secret with its last one; what is not there, or not ours, is left alone."""
        _check_key(ref.key)

        async def once() -> None:
            current = await self._current(ref.key)
            if current.members is None or not current.ours:
                return
            if ref.property:
                if ref.property not in current.members:
                    return
                rest = {name: value for name, value in current.members.items() if name != ref.property}
                if rest:
                    await self._write(ref.key, current, rest, call="DeleteSecret")
                    return
            await self._remove(ref.key)

        await self._in_turn(ref.key, once)

    async def exists(self, ref: RemoteRef, has: Callable[[dict[str, JsonValue]], bool]) -> bool:
        """Whether the secret is there, and `has` finds the property in it."""
        _check_key(ref.key)
        current = await self._current(ref.key)
        return current.members is not None and (not ref.property or has(current.members))

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _in_turn(self, key: str, once: Callable[[], Awaitable[None]]) -> None:
        path = data_path(self._mount, self._version, key)
        lock = self._locks.get(path)
        if lock is None:
            lock = self._locks[path] = asyncio.Lock()
        async with lock:
            for _ in range(_TRIES):
                try:
                    await once()
                except _Raced:
                    continue
                return
        raise Unavailable(f'writing "{key}": others write it all the time: it is tried again later')

    async def _current(self, key: str) -> _Current:
        path = data_path(self._mount, self._version, key)
        answer = await self._request("GET", path, call="ReadSecretData")
        if answer is None:
            return _Current(None)
        data = answer.mapping("data")
        if self._version == "v1":
            if data is None:
                raise InvalidData(f"failed to unmarshall JSON: {path} holds no JSON object")
            custom = data.get(_CUSTOM)
            members = {name: value for name, value in data.items() if name != _CUSTOM}
            return _Current(members, custom=custom if isinstance(custom, dict) else {})
        if data is None or "data" not in data:
            raise InvalidData(
                f"failed to find data field: {path} does not answer as KV v2: check spec.provider.vault.version and path"
            )
        metadata = data.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        there = data["data"]
        if there is not None and not isinstance(there, dict):
            raise InvalidData(f"failed to unmarshall JSON: {path} holds no JSON object")
        return _Current(there, _integer(metadata.get("version")), await self._custom(key, metadata))

    async def _custom(self, key: str, metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The custom metadata, which old servers tell only when they are asked for it."""
        if _CUSTOM in metadata:
            custom = metadata[_CUSTOM]
        else:
            answer = await self._request("GET", metadata_path(self._mount, self._version, key), call="ReadSecretData")
            data = None if answer is None else answer.mapping("data")
            custom = None if data is None else data.get(_CUSTOM)
        return dict(custom) if isinstance(custom, dict) else {}

    async def _write(self, key: str, current: _Current, members: dict[str, JsonValue], *, call: str) -> None:
        path = data_path(self._mount, self._version, key)
        if self._version == "v1":
            marked: JsonValue = {**current.custom, _MARK: _OURS}
            await self._request("PUT", path, call=call, body={**members, _CUSTOM: marked})
            return
        if not current.ours:
            # The mark comes first: a secret without it could never be corrected.
            body: dict[str, JsonValue] = {_CUSTOM: {**current.custom, _MARK: _OURS}}
            await self._request("PUT", metadata_path(self._mount, self._version, key), call=call, body=body)
        try:
            await self._request("PUT", path, call=call, body={"data": members, "options": {"cas": current.version}})
        except ProviderError as exc:
            if "check-and-set" in str(exc) and "did not match" in str(exc):
                raise _Raced from exc
            raise

    async def _remove(self, key: str) -> None:
        try:
            await self._request("DELETE", data_path(self._mount, self._version, key), call="DeleteSecret")
        except ProviderError as exc:
            raise _failed(f"could not delete secret {key}", exc) from exc
        if self._version == "v1":
            return
        try:
            await self._request("DELETE", metadata_path(self._mount, self._version, key), call="DeleteSecret")
        except ProviderError as exc:
            raise _failed(f"could not delete secret metadata {key}", exc) from exc


def _check_key(key: str) -> None:
    if not key.strip("/"):
        raise InvalidEntry("remoteRef.remoteKey is empty: it is the path of a secret in Vault")


def _desired(current: dict[str, JsonValue] | None, values: Mapping[str, bytes], data: PushData) -> dict[str, JsonValue]:
    """The members after the push."""
    if data.property:
        return {**(current or {}), data.property: _text(_value(values, data), data.secret_key)}
    if not data.secret_key:
        return {name: _text(value, name) for name, value in values.items()}
    try:
        document = decode(_value(values, data))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        what = "incoming secret value" if current is not None else "vault secret"
        raise InvalidData(
            f'error unmarshalling {what}: invalid JSON format: "{data.secret_key}" holds no JSON object: set remoteRef.property '
            "to write it as one member"
        )
    return document


def _value(values: Mapping[str, bytes], data: PushData) -> bytes:
    if not data.secret_key:
        members: dict[str, JsonValue] = {name: _text(value, name) for name, value in values.items()}
        return encode(members, html=False).encode()
    if data.secret_key not in values:
        raise InvalidData(f"failed to find secret key in secret with key: {data.secret_key}")
    return values[data.secret_key]


def _text(value: bytes, key: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidData(
            f'the value of "{key}" is not UTF-8 text, which is all that Vault can hold: encode it with a template, '
            "for example with b64enc"
        ) from None


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Whether two values are equal for the server, which may keep numbers as doubles."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, Number) and isinstance(right, Number):
        return _same_number(left.text, right.text)
    return type(left) is type(right) and left == right


def _same_number(left: str, right: str) -> bool:
    try:
        exact, stored = Decimal(left), Decimal(right)
    except InvalidOperation:
        return left == right
    return exact == stored or Decimal(repr(float(left))) == stored


def _integer(value: JsonValue) -> int:
    text = value.text if isinstance(value, Number) else str(value)
    return int(text) if text.isdigit() else 0


def _failed(doing: str, exc: ProviderError) -> ProviderError:
    return ProviderError(f"{doing}: {exc}", kind=exc.kind, retryable=exc.retryable)
