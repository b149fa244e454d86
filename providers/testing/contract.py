"""What the operator relies on in every backend, as a class of tests."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import structlog

from eso_core.aio import SystemClock
from eso_core.model import structural_schema
from providers.errors import InvalidSpec, NoSecret, NotSupported, ProviderError, find_cause
from providers.interface import (
    Capabilities,
    Find,
    JsonObject,
    Provider,
    PushData,
    RemoteRef,
    SecretsClient,
    Store,
    StoreContext,
    Validation,
)
from providers.resolve import Resolver
from providers.spec import ProviderSpec
from providers.testing.cluster import MemoryCluster

__all__ = ["Backend", "ProviderContract"]

NAMESPACE = "contract"
#: Values that must never be seen outside of results.
_PLANTED = b"pl4nted-v4lue-one"
_OTHER = b"pl4nted-v4lue-two"


@dataclass
class Backend:
    """One backend to be tested, with a way to put values into it that does not go through the provider.

    Attributes:
        provider: what is tested.
        spec: what stands below `spec.provider.<name>` of a store that works.
        put: stores a value under a key, whole.
        secrets: Secrets of the store's namespace that `spec` refers to: name to key to value.
        denied: a spec whose credentials the backend refuses, if it has any.
        unreachable: a spec whose server does not answer, if there is one.
        refuses: a spec that `validate_spec` or the model must refuse.
        key: makes a key that the backend takes out of a plain word; most take any word as it is.
        finds: whether `get_all_secrets` finds by name.
        documents: whether it keeps JSON documents only: plain values are then put and read as the property `value` of one.
    """

    provider: Provider
    spec: JsonObject
    put: Callable[[str, bytes], Awaitable[None]] = field(repr=False)
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    denied: JsonObject | None = None
    unreachable: JsonObject | None = None
    refuses: JsonObject | None = None
    key: Callable[[str], str] = field(default=lambda word: word)
    finds: bool = True
    documents: bool = False

    async def keep(self, word: str, value: bytes) -> RemoteRef:
        """Puts a plain value and says where it is read."""
        key = self.key(word)
        await self.put(key, json.dumps({"value": value.decode()}).encode() if self.documents else value)
        return RemoteRef(key, "value" if self.documents else "")

    def store(self, spec: JsonObject | None = None) -> Store:
        """A SecretStore with this spec."""
        wanted = self.spec if spec is None else spec
        return Store(
            "SecretStore", "contract", NAMESPACE, uid="u", generation=1, spec={"provider": {self.provider.name: wanted}}
        )

    def model(self, spec: JsonObject | None = None) -> ProviderSpec:
        """The spec, read."""
        return self.provider.spec.model_validate(self.spec if spec is None else spec)

    @asynccontextmanager
    async def open(self, spec: JsonObject | None = None) -> AsyncIterator[SecretsClient]:
        """An open client, closed afterwards."""
        cluster = MemoryCluster()
        for name, values in self.secrets.items():
            cluster.put("Secret", NAMESPACE, name, **values)
        store = self.store(spec)
        context = StoreContext(store, NAMESPACE, Resolver(cluster, store, NAMESPACE), SystemClock())
        client = await self.provider.open(self.model(spec), context)
        try:
            yield client
        finally:
            await client.aclose()


class ProviderContract:
    """Subclass it, name the subclass `Test…`, and give it a fixture `backend`. Tests that do not apply skip and say why."""

    @pytest.fixture
    async def backend(self) -> AsyncIterator[Backend]:
        """What is tested: the author's subclass replaces this."""
        raise NotImplementedError("a ProviderContract needs a fixture `backend` that yields a Backend")
        yield

    # -- the model -------------------------------------------------------------------------------------------------

    async def test_the_spec_has_a_schema(self, backend: Backend) -> None:
        """The model can be published in the SecretStore's definition, under the provider's name."""
        assert backend.provider.name
        assert backend.provider.name.isalnum()
        schema = structural_schema(backend.provider.spec)
        assert schema["type"] == "object"
        assert schema["properties"]
        assert all(schema["properties"].values())

    async def test_the_spec_validates_without_io(self, backend: Backend) -> None:
        """A spec that works passes; one that cannot is refused with a reason."""
        warnings = backend.provider.validate_spec(backend.model(), backend.store())
        assert all(isinstance(warning, str) for warning in warnings)
        if backend.refuses is None:
            return
        with pytest.raises((InvalidSpec, ValueError)) as caught:
            backend.provider.validate_spec(backend.model(backend.refuses), backend.store(backend.refuses))
        assert str(caught.value)

    # -- reading ---------------------------------------------------------------------------------------------------

    async def test_a_value_comes_back_byte_for_byte(self, backend: Backend) -> None:
        """What was stored is what is read, with newlines and non-ASCII characters."""
        value = "line one\nline two\t\u00e4\u20ac\n".encode()
        ref = await backend.keep("whole", value)
        async with backend.open() as client:
            assert await client.get_secret(ref) == value

    async def test_a_property_is_picked_from_a_document(self, backend: Backend) -> None:
        """Text without quotes, and the members of an object as a map; a missing property is an error that waiting does not heal."""
        key = backend.key("document")
        await backend.put(key, json.dumps({"user": "anna", "port": 5432, "nested": {"deep": "x"}}).encode())
        async with backend.open() as client:
            assert await client.get_secret(RemoteRef(key, "user")) == b"anna"
            assert await client.get_secret(RemoteRef(key, "port")) == b"5432"
            members = await client.get_secret_map(RemoteRef(key))
            assert members["user"] == b"anna"
            assert members["port"] == b"5432"
            with pytest.raises(ProviderError) as caught:
                await client.get_secret(RemoteRef(key, "absent"))
            assert not caught.value.retryable

    async def test_a_missing_secret_is_told_as_such(self, backend: Backend) -> None:
        """NoSecret, since deletionPolicy Delete acts on it; nothing else may become one."""
        async with backend.open() as client:
            with pytest.raises(ProviderError) as caught:
                await client.get_secret(RemoteRef(backend.key("never-stored")))
            assert find_cause(caught.value, NoSecret) is not None

    async def test_secrets_are_found_by_name(self, backend: Backend) -> None:
        """The matching ones, whole, by the backend's names; nothing found is an empty answer."""
        if not backend.finds:
            pytest.skip("this backend does not find by name")
        for word, value in {"find-a": _PLANTED, "find-b": _OTHER, "other": b"x"}.items():
            await backend.keep(word, value)
        async with backend.open() as client:
            found = sorted((await client.get_all_secrets(Find(name_regexp="find-"))).values())
            if backend.documents:
                found = sorted(json.loads(value)["value"].encode() for value in found)
            assert found == [_PLANTED, _OTHER]
            assert await client.get_all_secrets(Find(name_regexp="^no-such-name$")) == {}

    async def test_many_reads_at_once(self, backend: Backend) -> None:
        """One client serves many reconciles."""
        ref = await backend.keep("shared", _PLANTED)
        async with backend.open() as client:
            values = await asyncio.gather(*(client.get_secret(ref) for _ in range(20)))
        assert set(values) == {_PLANTED}

    async def test_a_cancelled_read_leaves_the_client_usable(self, backend: Backend) -> None:
        """Reconciles are cancelled at shutdown and by timeouts."""
        ref = await backend.keep("cancelled", _PLANTED)
        async with backend.open() as client:
            for turns in range(4):
                reading = asyncio.ensure_future(client.get_secret(ref))
                for _ in range(turns):
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            assert await client.get_secret(ref) == _PLANTED

    # -- the store -------------------------------------------------------------------------------------------------

    async def test_a_store_that_works_validates(self, backend: Backend) -> None:
        """No error, whatever the state."""
        async with backend.open() as client:
            validation = await client.validate()
        assert isinstance(validation, Validation)
        assert validation.error is None

    async def test_closing_twice_is_harmless(self, backend: Backend) -> None:
        """A replaced client is closed, and so is one at shutdown."""
        async with backend.open() as client:
            await client.aclose()

    async def test_refused_credentials_are_no_missing_secret(self, backend: Backend) -> None:
        """Trying again soon does not help, and no user's Secret may be deleted for it."""
        if backend.denied is None:
            pytest.skip("this backend has no credentials to refuse")
        error = await self._failure(backend, backend.denied)
        assert find_cause(error, NoSecret) is None
        assert not error.retryable

    async def test_an_unreachable_server_is_no_missing_secret(self, backend: Backend) -> None:
        """Time may heal it: worth a back-off."""
        if backend.unreachable is None:
            pytest.skip("this backend has no server")
        error = await self._failure(backend, backend.unreachable)
        assert find_cause(error, NoSecret) is None
        assert error.retryable

    # -- writing ---------------------------------------------------------------------------------------------------

    async def test_what_is_pushed_can_be_read_and_deleted(self, backend: Backend) -> None:
        """Push, push again, exists, delete, delete again; a backend that only reads says so."""
        key = backend.key("pushed")
        async with backend.open() as client:
            data = PushData(key, "password")
            if backend.provider.capabilities is Capabilities.READ_ONLY:
                with pytest.raises(NotSupported):
                    await client.push_secret({"password": _PLANTED}, data)
                return
            value = json.dumps({"inner": _PLANTED.decode()}).encode() if backend.documents else _PLANTED
            await client.push_secret({"password": value}, data)
            await client.push_secret({"password": value}, data)
            assert await client.secret_exists(RemoteRef(key))
            if backend.provider.capabilities is Capabilities.READ_WRITE:
                wanted = RemoteRef(key, "inner") if backend.documents else RemoteRef(key)
                assert await client.get_secret(wanted) == _PLANTED
            await client.delete_secret(RemoteRef(key))
            await client.delete_secret(RemoteRef(key))

    # -- silence ---------------------------------------------------------------------------------------------------

    async def test_no_value_is_seen_outside_of_results(
        self, backend: Backend, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Not in the repr of the client, the spec or the store, in errors, or in logs, at any level."""
        key = backend.key("silent")
        await backend.put(key, json.dumps({"inner": _PLANTED.decode()}).encode())
        caplog.set_level(logging.DEBUG)
        seen: list[str] = [repr(backend.store()), repr(backend.model())]
        with structlog.testing.capture_logs() as events:
            async with backend.open() as client:
                await client.get_secret(RemoteRef(key))
                seen.append(repr(client))
                for ref in (
                    RemoteRef(key, "absent"),
                    RemoteRef(key, "inner.deeper"),
                    RemoteRef(backend.key("nowhere")),
                ):
                    try:
                        await client.get_secret(ref)
                    except ProviderError as error:
                        seen.append(_whole(error))
        seen += [repr(events), caplog.text, *capsys.readouterr()]
        planted = [_PLANTED, *(value for values in backend.secrets.values() for value in values.values())]
        for text in seen:
            for value in planted:
                assert value.decode("utf-8", "replace") not in text

    async def _failure(self, backend: Backend, spec: JsonObject) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            async with backend.open(spec) as client:
                await client.get_secret(RemoteRef(backend.key("whole")))
        return caught.value


def _whole(error: BaseException | None) -> str:
    """The texts of an error and of all that it was raised from."""
    texts = []
    while error is not None:
        texts.append(f"{error!r} {error}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)
