"""The secrets of a KV mount."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from eso_core.aio import TaskScope
from providers.errors import InvalidData, InvalidEntry, InvalidSpec, NoSecret, NotSupported, ProviderError
from providers.find import has_tags, name_matcher
from providers.gjson import get
from providers.gojson import JsonValue, decode, encode, map_value_bytes, value_bytes
from providers.interface import DocumentClient, Find, MetadataPolicy, PushData, RemoteRef, Validation, ValidationState
from providers.vault.http import Answer, VaultHttp, VaultRefused
from providers.vault.paths import data_path, metadata_path
from providers.vault.token import TokenKeeper
from providers.vault.writing import Writer

__all__ = ["Document", "UnboundClient", "VaultClient", "VaultConnection"]

T = TypeVar("T")
U = TypeVar("U")

_PARALLEL = 8  # requests of one find that are under way at once


@dataclass(frozen=True, slots=True)
class Document:
    """The members of a secret, or of its metadata. repr shows no content."""

    members: Mapping[str, JsonValue] = field(repr=False)
    is_metadata: bool = False


class VaultConnection:
    """Requests with the store's token, which is replaced when the server does not know it any more."""

    def __init__(self, http: VaultHttp, keeper: TokenKeeper) -> None:
        self.http = http
        self.keeper = keeper

    async def request(
        self,
        method: str,
        path: str,
        *,
        call: str,
        query: Mapping[str, str | list[str]] | None = None,
        body: dict[str, JsonValue] | None = None,
    ) -> Answer | None:
        """As ``VaultHttp.request``, authenticated."""
        token = await self.keeper.token()
        try:
            return await self.http.request(method, path, call=call, token=token, query=query, body=body)
        except VaultRefused:
            fresh = await self.keeper.replacement(token)
            if fresh is None:
                raise
        return await self.http.request(method, path, call=call, token=fresh, query=query, body=body)

    async def aclose(self) -> None:
        """Revokes the token and closes the connections."""
        try:
            await self.keeper.aclose()
        finally:
            await self.http.aclose()


class VaultClient(DocumentClient[Document]):
    """One store.

    Args:
        connection: To the server.
        mount: Mount path, empty when keys begin with it.
        version: ``v1`` or ``v2``.
    """

    def __init__(self, connection: VaultConnection, *, mount: str, version: str) -> None:
        self._connection = connection
        self._mount = mount
        self._version = version
        self._writer = Writer(connection.request, mount=mount, version=version)

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        await self._writer.push(values, data)

    async def delete_secret(self, ref: RemoteRef) -> None:
        await self._writer.delete(ref)

    async def secret_exists(self, ref: RemoteRef) -> bool:
        def has(members: dict[str, JsonValue]) -> bool:
            return ref.property in members or get(encode(members), ref.property) is not None

        return await self._writer.exists(ref, has)

    async def read(self, ref: RemoteRef) -> Document:
        if not ref.key.strip("/"):
            raise InvalidEntry("remoteRef.key is empty: it is the path of a secret in Vault")
        if ref.metadata_policy is MetadataPolicy.FETCH:
            if self._version == "v1":
                raise NotSupported("cannot perform metadata fetch operations with kv version v1")
            return Document(await self._metadata(ref.key), is_metadata=True)
        return Document(await self._data(ref.key, ref.version))

    def select(self, document: Document, ref: RemoteRef) -> bytes:
        members = document.members
        if document.is_metadata and not members:
            return b""
        if not ref.property:
            return encode(dict(members)).encode()
        if ref.property in members:
            return value_bytes(members[ref.property])
        found = get(encode(dict(members)), ref.property)
        if found is None:
            raise InvalidData(f'cannot find secret data for key: "{ref.property}"')
        return found.text.encode("utf-8", "replace")

    def select_map(self, document: Document, ref: RemoteRef) -> dict[str, bytes]:
        selected: JsonValue
        if ref.property:
            try:
                selected = decode(self.select(document, ref))
            except ValueError:
                selected = ""
        else:
            selected = dict(document.members)
        if selected is None:
            return {}
        if not isinstance(selected, dict):
            what = f'property "{ref.property}" of secret "{ref.key}"' if ref.property else f'secret "{ref.key}"'
            raise InvalidData(f"failed to unmarshal secret: invalid JSON format: {what} is not a JSON object")
        return {name: map_value_bytes(value) for name, value in selected.items()}

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        if find.tags and self._version == "v1":
            raise NotSupported("cannot perform find by tag operations with kv version v1")
        if find.name_regexp is not None:
            matches = name_matcher(find.name_regexp)
            names = [name for name in await self._list(find.path or "") if matches(name)]
        else:
            names = await self._list(find.path or "")
            if wanted := find.tags:
                tagged = await _each(names, lambda name: self._is_tagged(name, wanted))
                names = [name for name, hit in zip(names, tagged, strict=True) if hit]
        values = await _each(names, self._whole)
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    async def validate(self) -> Validation:
        try:
            await self._connection.request("GET", "auth/token/lookup-self", call="LookupSelf")
        except ProviderError as exc:
            raise _wrapped("invalid vault credentials", exc) from exc
        return Validation()

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _data(self, key: str, version: str) -> dict[str, JsonValue]:
        path = data_path(self._mount, self._version, key)
        query = {"version": version} if version else None
        answer = await self._get(path, query=query)
        if answer is None:
            raise NoSecret
        data = answer.body.get("data")
        if self._version == "v2":
            if not isinstance(data, dict) or "data" not in data:
                hint = f" ({answer.warning})" if answer.warning else ""
                raise InvalidData(
                    f"failed to find data field: {path} does not answer as KV v2{hint}: "
                    "check spec.provider.vault.version and path"
                )
            data = data["data"]
            if data is None:  # the version was deleted or destroyed
                raise NoSecret
        if not isinstance(data, dict):
            hint = f" ({answer.warning})" if answer.warning else ""
            raise InvalidData(
                f"failed to unmarshall JSON: {path} holds no JSON object{hint}: check spec.provider.vault.version and path"
            )
        return data

    async def _metadata(self, key: str) -> dict[str, JsonValue]:
        answer = await self._get(metadata_path(self._mount, self._version, key))
        data = None if answer is None else answer.mapping("data")
        if data is None:
            raise InvalidData("secret not found")
        known: dict[str, JsonValue] = {}
        for name in ("created_time", "current_version", "delete_version_after"):
            if name in data:
                known[name] = value_bytes(data[name]).decode()
        custom = data.get("custom_metadata")
        return known | custom if isinstance(custom, dict) else known

    async def _is_tagged(self, name: str, wanted: Mapping[str, str]) -> bool:
        tags = {key: value_bytes(value).decode() for key, value in (await self._metadata(name)).items()}
        return has_tags(tags, wanted)

    async def _whole(self, name: str) -> bytes | None:
        try:
            return encode(await self._data(name, "")).encode()
        except NoSecret:
            return None

    async def _list(self, path: str) -> list[str]:
        """Names of the secrets below ``path``, relative to the mount, sorted."""
        root = f"{path.rstrip('/')}/" if path.strip("/") else ""
        found: list[str] = []
        folders = [root]
        while folders:
            listings = await _each(folders, self._list_folder)
            if listings[0] is None and folders == [root]:
                raise NoSecret
            entries = [
                folder + entry
                for folder, listing in zip(folders, listings, strict=True)
                for entry in listing or ()  # a folder emptied since its parent was listed
            ]
            found += [entry for entry in entries if not entry.endswith("/")]
            folders = [entry for entry in entries if entry.endswith("/")]
        return sorted(found)

    async def _list_folder(self, folder: str) -> list[str] | None:
        path = metadata_path(self._mount, self._version, folder)
        if not path.strip("/"):
            raise InvalidSpec("find needs find.path or spec.provider.vault.path: there is no mount to list")
        answer = await self._get(path, query={"list": "true"}, call="ListSecrets")
        data = None if answer is None else answer.mapping("data")
        keys = None if data is None else data.get("keys")
        return [str(key) for key in keys] if isinstance(keys, list) else None

    async def _get(
        self, path: str, *, query: Mapping[str, str] | None = None, call: str = "ReadSecretData"
    ) -> Answer | None:
        try:
            return await self._connection.request("GET", path, call=call, query=query)
        except NoSecret:
            raise
        except ProviderError as exc:
            raise _wrapped("cannot read secret data from Vault", exc) from exc

    def __repr__(self) -> str:
        return f"VaultClient(server={self._connection.http.server!r}, mount={self._mount!r}, version={self._version!r})"


class UnboundClient(VaultClient):
    """A ClusterSecretStore whose credentials come with its consumers, seen without one: nothing to check yet."""

    async def validate(self) -> Validation:
        return Validation(ValidationState.UNKNOWN)


def _wrapped(doing: str, exc: ProviderError) -> ProviderError:
    return ProviderError(f"{doing}: {exc}", kind=exc.kind, retryable=exc.retryable)


async def _each(items: Iterable[T], fetch: Callable[[T], Awaitable[U]]) -> list[U]:
    """``fetch`` of every item, some at a time, in the order of the items; the first failure ends it."""
    items = list(items)
    if len(items) == 1:
        return [await fetch(items[0])]
    gate = asyncio.Semaphore(_PARALLEL)

    async def one(item: T) -> U:
        async with gate:
            return await fetch(item)

    async with TaskScope("vault find") as scope:
        tasks = [scope.spawn(one(item), name="vault find") for item in items]
    return [task.result() for task in tasks]
