"""The ``fake`` backend: values written in the store itself, for tests and first steps.

Entries of a store live with its client; what is pushed lives as long as the provider object and is shared by the stores
of one name, as users of the original know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from providers.errors import InvalidData, InvalidSpec, NoSecret, NotSupported, ProviderError
from providers.fake.spec import FakeSpec
from providers.find import name_matcher
from providers.gjson import get
from providers.gojson import raw_members
from providers.interface import (
    Capabilities,
    DocumentClient,
    Find,
    Maintenance,
    Provider,
    PushData,
    RemoteRef,
    Store,
    StoreContext,
    Validation,
    ValidationState,
)
from providers.spec import ProviderSpec

__all__ = ["FakeClient", "FakeProvider", "entries_of"]


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    version: str
    value: bytes = field(repr=False)


def entries_of(values: Mapping[str, bytes]) -> dict[str, _Entry]:
    """Values without versions, as a client holds them."""
    return {key: _Entry(key, "", value) for key, value in values.items()}


class FakeProvider(Provider):
    """Reads what the store's own manifest says."""

    name: ClassVar[str] = "fake"
    spec: ClassVar[type[ProviderSpec]] = FakeSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_WRITE
    maintenance: ClassVar[Maintenance] = Maintenance.NOT_MAINTAINED

    def __init__(self) -> None:
        self._pushed: dict[str, dict[str, _Entry]] = {}

    def validate_spec(self, spec: ProviderSpec, store: Store) -> list[str]:
        assert isinstance(spec, FakeSpec)
        for index, entry in enumerate(spec.data):
            if not entry.key:
                raise InvalidSpec(f"key must be set in data {index}")
            if not entry.value:
                raise InvalidSpec(f"at least one value must be set in data {index}")
        return []

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        return False

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> FakeClient:
        assert isinstance(spec, FakeSpec)
        own: dict[str, _Entry] = {}
        for item in spec.data:
            entry = _Entry(item.key, item.version or "", (item.value or "").encode())
            own[entry.key + entry.version] = entry
        pushed = self._pushed.setdefault(ctx.store.name, {})
        for address in own:
            pushed.pop(address, None)
        return FakeClient(own, pushed, spec.validation_result or 0)


class FakeClient(DocumentClient[bytes]):
    """Reads from two mappings; the store's own entries hide pushed ones."""

    def __init__(self, own: Mapping[str, _Entry], pushed: dict[str, _Entry], validation_result: int) -> None:
        self._own = own
        self._pushed = pushed
        self._validation_result = validation_result

    async def read(self, ref: RemoteRef) -> bytes:
        entry = self._entry(ref.key + ref.version)
        if entry is None or entry.version != ref.version:
            raise NoSecret
        return entry.value

    def select(self, document: bytes, ref: RemoteRef) -> bytes:
        if not ref.property:
            return document
        text = document.decode("utf-8", "surrogateescape")
        # A key that contains the dots comes before a path, so that names like tls.crt need no escaping.
        found = get(text, ref.property.replace(".", r"\.")) if "." in ref.property else None
        found = found or get(text, ref.property)
        if found is None:
            raise NoSecret
        return found.text.encode("utf-8", "surrogateescape")

    def select_map(self, document: bytes, ref: RemoteRef) -> dict[str, bytes]:
        return raw_members(self.select(document, ref), "unable to unmarshal secret")

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        if find.name_regexp is None:
            given = [name for name, value in (("path", find.path), ("tags", find.tags)) if value]
            raise NotSupported(
                f"unsupported find operator: {' and '.join(given) or 'nothing'} given, "
                "but the fake provider finds by name only: set find.name.regexp"
            )
        matches = name_matcher(find.name_regexp)
        newest: dict[str, _Entry] = {}
        for entry in {**self._pushed, **self._own}.values():
            known = newest.get(entry.key)
            if matches(entry.key) and (known is None or known.version.encode() < entry.version.encode()):
                newest[entry.key] = entry
        return {key: entry.value for key, entry in sorted(newest.items())}

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        if data.remote_key in self._own:
            raise InvalidData("key already exists")
        value = b""
        if data.secret_key:
            if data.secret_key not in values:
                raise InvalidData(f"failed to find secret key in secret with key: {data.secret_key}")
            value = values[data.secret_key]
        self._pushed[data.remote_key] = _Entry(data.remote_key, "", value)

    async def delete_secret(self, ref: RemoteRef) -> None:
        return None

    async def secret_exists(self, ref: RemoteRef) -> bool:
        return self._entry(ref.key) is not None

    async def validate(self) -> Validation:
        match self._validation_result:
            case 0:
                return Validation()
            case 1:
                return Validation(ValidationState.UNKNOWN, ProviderError("unable to validate"))
            case _:
                raise InvalidSpec("unable to validate")

    def _entry(self, address: str) -> _Entry | None:
        return self._own.get(address) or self._pushed.get(address)
