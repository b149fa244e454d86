"""Reading secrets of a KV mount of OpenBao."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eso_core.aio import Clock
from providers.errors import ErrorKind, InvalidData, InvalidEntry, NotSupported, ProviderError
from providers.find import name_matcher
from providers.gojson import JsonValue, Number, decode, encode, map_value_bytes, value_bytes
from providers.interface import DocumentClient, Find, PushData, RemoteRef, Validation, ValidationState
from providers.vault.client import VaultConnection

__all__ = ["Document", "OpenBaoClient", "UnboundClient"]

_CHECK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Document:
    """The members of a secret; None for a version that was deleted. repr shows no content."""

    members: Mapping[str, JsonValue] | None = field(repr=False)


class OpenBaoClient(DocumentClient[Document]):
    """One store.

    Args:
        connection: To the server.
        mount: Mount path; it is never part of keys.
        version: `v1` or `v2`.
        clock: Bounds the check of the store.
    """

    def __init__(self, connection: VaultConnection, *, mount: str, version: str, clock: Clock) -> None:
        self._connection = connection
        self._mount = mount
        self._version = version
        self._clock = clock

    async def read(self, ref: RemoteRef) -> Document:
        if not ref.key.strip("/"):
            raise InvalidEntry("remoteRef.key is empty: it is the path of a secret in OpenBao")
        query = None
        if ref.version:
            if self._version == "v1":
                raise NotSupported("OpenBao KVv1 secrets do not support versioning (use KVv2)")
            if not ref.version.lstrip("+-").isdigit():
                raise InvalidEntry(f'invalid Ref.Version: "{ref.version}" is not an integer')
            query = {"version": str(int(ref.version))}
        path = self._path("data", ref.key)
        answer = await self._connection.request("GET", path, call="ReadSecretData", query=query)
        if answer is None:
            # Not NoSecret, as in the original: a missing secret never deletes anything here.
            raise ProviderError(f"secret not found: at {path}", kind=ErrorKind.MISSING)
        data = answer.mapping("data")
        if self._version == "v2":
            if data is None or "data" not in data:
                raise InvalidData(f"reading {path}: the answer is not of KV v2: check spec.provider.openBao.version")
            inner = data["data"]
            if inner is None:
                return Document(None)
            data = inner if isinstance(inner, dict) else None
        if data is None:
            raise InvalidData(f"reading {path}: there is no JSON object")
        return Document(data)

    def select(self, document: Document, ref: RemoteRef) -> bytes:
        members = document.members
        if not ref.property:
            return encode(None if members is None else dict(members)).encode()
        if members is None or ref.property not in members:
            raise InvalidData(f'cannot find secret data for key: "{ref.property}"')
        return value_bytes(members[ref.property])

    def select_map(self, document: Document, ref: RemoteRef) -> dict[str, bytes]:
        selected: JsonValue = None if document.members is None else dict(document.members)
        if ref.property:
            try:
                selected = decode(self.select(document, ref))
            except ValueError:
                selected = ""
        if selected is None:
            return {}
        if not isinstance(selected, dict):
            raise InvalidData(
                f'failed to unmarshal secret: property "{ref.property}" of secret "{ref.key}" is not a JSON object'
            )
        return {name: map_value_bytes(value) for name, value in selected.items()}

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        if find.tags:
            raise NotSupported("tag based search is not implemented")
        if find.name_regexp is None:
            raise InvalidEntry("find needs find.name.regexp: OpenBao stores find by name only")
        matches = name_matcher(find.name_regexp)
        folder = (find.path or "").strip("/")
        answer = await self._connection.request(
            "GET", self._path("metadata", folder), call="ListSecrets", query={"list": "true"}
        )
        data = None if answer is None else answer.mapping("data")
        listed = None if data is None else data.get("keys")
        names = [str(name) for name in listed] if isinstance(listed, list) else []
        found: dict[str, bytes] = {}
        for name in names:
            if name.endswith("/") or not matches(name):
                continue  # one level only: a folder is no secret
            ref = RemoteRef(f"{folder}/{name}" if folder else name)
            try:
                document = await self.read(ref)
            except ProviderError as exc:
                if exc.kind is ErrorKind.MISSING:
                    continue  # deleted since it was listed
                raise
            if document.members is not None:
                found[name] = self.select(document, ref)
        return found

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        raise NotSupported("push secret is not supported (the OpenBao provider is currently read only)")

    async def delete_secret(self, ref: RemoteRef) -> None:
        raise NotSupported("delete secret is not supported (the OpenBao provider is currently read only)")

    async def secret_exists(self, ref: RemoteRef) -> bool:
        raise NotSupported("not implemented")

    async def validate(self) -> Validation:
        where = f'error while validating "{self._connection.http.server}"'
        try:
            async with self._clock.timeout(_CHECK_SECONDS):
                answer = await self._connection.request(
                    "GET", f"sys/internal/ui/mounts/{self._mount}", call="LookupMount"
                )
        except TimeoutError:
            raise ProviderError(
                f"{where}: no answer within {_CHECK_SECONDS:g} s", kind=ErrorKind.UNAVAILABLE, retryable=True
            ) from None
        except ProviderError as exc:
            raise ProviderError(f"{where}: {exc}", kind=exc.kind, retryable=exc.retryable) from exc
        data = None if answer is None else answer.mapping("data")
        if data is None:
            raise ProviderError(f"{where}: there is no mount {self._mount}", kind=ErrorKind.SPEC)
        kind = data.get("type")
        if kind != "kv":
            raise ProviderError(f'{where}: expected mount type "kv" found "{kind}"', kind=ErrorKind.SPEC)
        options = data.get("options")
        version = options.get("version") if isinstance(options, dict) else None
        shown = version.text if isinstance(version, Number) else str(version or "1")
        wanted = self._version.removeprefix("v")
        if shown != wanted:
            raise ProviderError(
                f"{where}: expected kv engine version {wanted} found version {shown}", kind=ErrorKind.SPEC
            )
        return Validation()

    async def aclose(self) -> None:
        await self._connection.aclose()

    def _path(self, part: str, key: str) -> str:
        return f"{self._mount}/{part}/{key}" if self._version == "v2" else f"{self._mount}/{key}"

    def __repr__(self) -> str:
        server = self._connection.http.server
        return f"OpenBaoClient(server={server!r}, mount={self._mount!r}, version={self._version!r})"


class UnboundClient(OpenBaoClient):
    """A ClusterSecretStore whose credentials come with its consumers, seen without one: nothing to check yet."""

    async def validate(self) -> Validation:
        return Validation(ValidationState.UNKNOWN)
