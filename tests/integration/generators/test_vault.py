"""VaultDynamicSecret on a real OpenBao, and against a server that answers what no OpenBao does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from eso_core.aio import SystemClock
from generators.errors import GeneratorFailed, InvalidGenerator
from generators.interface import Generated, GeneratorContext
from generators.registry import GeneratorRegistry
from generators.spec import GeneratorSpec
from generators.testing import Case, GeneratorContract
from generators.vaultdynamicsecret import VaultDynamicSecretGenerator
from providers.errors import AccessDenied, ProviderError
from providers.testing import MemoryCluster
from tests.integration.openbao import BaoServer, openbao

__all__ = ["openbao"]


class TestContract(GeneratorContract):
    """New tokens, which nobody has to take back: they expire."""

    @pytest.fixture
    async def case(self, openbao: BaoServer) -> Case:
        selector = {"name": "login", "key": "token", "namespace": "does-not-count"}
        provider = {"server": openbao.url, "auth": {"tokenSecretRef": selector}}
        spec = {
            "provider": provider,
            "path": "auth/token/create",
            "method": "POST",
            "parameters": {"ttl": "60s"},
            "resultType": "Auth",
        }
        # Values such as `true` and `root` are in every log; the token is what must not be.
        return Case(_TokenAlone(), spec, secrets={"login": {"token": b"root"}}, refuses={**spec, "parameters": ["a"]})


class _TokenAlone(VaultDynamicSecretGenerator):
    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        made = await super().generate(spec, ctx)
        return replace(made, values={"client_token": made.values["client_token"]})


def cluster(token: str = "root") -> MemoryCluster:
    kube = MemoryCluster()
    kube.put("Secret", "ns", "login", token=token)
    return kube


async def ask(server: str, kube: MemoryCluster | None = None, **fields: Any) -> Generated:
    """What the generator makes of a spec with these fields."""
    selector = {"name": "login", "key": "token", "namespace": "does-not-count"}
    provider = {"server": server, "auth": {"tokenSecretRef": selector}}
    _, spec = GeneratorRegistry(plugins=()).parse("VaultDynamicSecret", {"provider": provider, **fields})
    context = GeneratorContext("ns", kube or cluster(), SystemClock(), name="g")
    return await VaultDynamicSecretGenerator().generate(spec, context)


@pytest.mark.parametrize("method", ["POST", "post", "PUT", "anything"])
async def test_everything_that_is_no_read_writes_its_parameters(openbao: BaoServer, method: str) -> None:
    """Methods are told apart by case, as the original does."""
    made = await ask(
        openbao.url, path="sys/tools/hash", method=method, parameters={"input": "aGVsbG8=", "format": "base64"}
    )
    assert made.values["sum"] == b"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    assert made.state is None and "LPJN" not in repr(made)


async def test_a_token_is_what_auth_holds(openbao: BaoServer) -> None:
    """B072: with resultType Auth all members of `auth`; with the default an error that says where the answer is."""
    fields: dict[str, Any] = {"path": "/auth/token/create", "method": "POST", "parameters": {"ttl": "90s"}}
    made = await ask(openbao.url, **fields, resultType="Auth")
    assert made.values["client_token"] and made.values["accessor"].decode() in openbao.accessors()
    assert made.values["lease_duration"] == b"90"
    assert made.values["renewable"] == b"true" and made.values["orphan"] == b"false"
    assert json.loads(made.values["policies"]) == ["root"]
    assert set(made.values) == {
        "client_token", "accessor", "policies", "token_policies", "identity_policies", "metadata", "orphan", "entity_id",
        "lease_duration", "renewable", "mfa_requirement",
    }  # fmt: skip
    with pytest.raises(GeneratorFailed, match="empty response from Vault: .* set spec.resultType to Auth"):
        await ask(openbao.url, **fields)
    assert (await ask(openbao.url, **fields, allowEmptyResponse=True)).values == {}


async def test_raw_is_the_whole_answer(openbao: BaoServer) -> None:
    """Objects as JSON, numbers in plain decimals."""
    made = await ask(openbao.url, path="secret/data/cf/app/db", resultType="Raw")
    assert made.values["lease_duration"] == b"0" and made.values["renewable"] == b"false"
    assert made.values["request_id"]
    assert json.loads(made.values["data"])["data"]["user"] == "ines"
    assert {"auth", "wrap_info"}.isdisjoint(made.values)


async def test_numbers_keep_all_their_digits(openbao: BaoServer) -> None:
    """Beyond 2^53, where doubles end."""
    made = await ask(openbao.url, path="cf-kv1/numbers")
    assert made.values["big"] == b"8019210420527506405"


async def test_list_is_a_method_of_its_own(openbao: BaoServer) -> None:
    """As a GET with a parameter."""
    made = await ask(openbao.url, path="secret/metadata/cf/tagged", method="LIST")
    assert json.loads(made.values["keys"]) == ["one", "three", "two"]


async def test_an_empty_answer_is_an_error_unless_allowed(openbao: BaoServer) -> None:
    """204 of a write, and a path that is not there."""
    write: dict[str, Any] = {"path": "secret/metadata/gen/empty", "method": "POST", "parameters": {"max_versions": 3}}
    for fields in (write, {"path": "secret/data/gen/none"}):
        with pytest.raises(GeneratorFailed, match="unable to get dynamic secret: empty response from Vault"):
            await ask(openbao.url, **fields)
        assert (await ask(openbao.url, **fields, allowEmptyResponse=True)).values == {}
    with pytest.raises(GeneratorFailed, match="empty response"):
        await ask(openbao.url, path="secret/metadata/gen/empty", method="DELETE")


async def test_refusals_are_shown_in_the_words_of_the_server(openbao: BaoServer) -> None:
    """And the token is in no text."""
    with pytest.raises(AccessDenied) as refused:
        await ask(openbao.url, cluster("planted-token"), path="secret/data/cf/app/db")
    assert "planted" not in str(refused.value)
    with pytest.raises(GeneratorFailed, match='unable to setup Vault client: .*"login"'):
        await ask(openbao.url, MemoryCluster(), path="secret/data/cf/app/db")
    with pytest.raises(InvalidGenerator, match="parameters must be an object"):
        await ask(openbao.url, path="sys/tools/hash", method="POST", parameters=["a"])


async def test_the_login_outlives_the_request(openbao: BaoServer) -> None:
    """With its token the server would revoke the leases that were issued to it."""
    kube = MemoryCluster()
    kube.put("Secret", "ns", "login", role="cf-role-id", secret="cf-secret-id")
    app_role = {
        "path": "cf-approle",
        "roleRef": {"name": "login", "key": "role"},
        "secretRef": {"name": "login", "key": "secret"},
    }
    provider = {"server": openbao.url, "auth": {"appRole": app_role}}
    made = await ask(openbao.url, kube, path="auth/token/lookup-self", provider=provider)
    assert made.values["path"] == b"auth/cf-approle/login"
    assert made.values["accessor"].decode() in openbao.accessors()


async def test_b075_a_token_says_how_long_it_lasts(openbao: BaoServer) -> None:
    """B075: leases and tokens do; what is read of a store has no end."""
    token: dict[str, Any] = {"path": "auth/token/create", "method": "POST", "parameters": {"ttl": "60s"}}
    assert (await ask(openbao.url, **token, resultType="Auth")).lifetime == 60.0
    assert (await ask(openbao.url, path="secret/data/cf/app/db")).lifetime is None
    assert (await ask(openbao.url, path="cf-kv1/app/other")).lifetime is None


class Recorder:
    """Answers the same to everything; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answers: list[tuple[int, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, await request.text()))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.json_response(body, status=status)


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    recorder.answers = [(200, {"data": {"k": "v"}})]
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", recorder.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    recorder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield recorder
    await runner.cleanup()


async def test_get_parameters_are_the_query_and_nothing_else(recorder: Recorder) -> None:
    """B073: repeated names are repeated, and parameters belong to writes alone."""
    await ask(
        recorder.url,
        path="db/creds/app",
        method="GET",
        getParameters={"role": ["a", "b"], "ttl": ["1h"]},
        parameters={"not": "sent"},
    )
    await ask(recorder.url, path="db/creds/app", method="PUT", getParameters={"role": ["a"]}, parameters={"ttl": "1h"})
    await ask(recorder.url, path="db/creds/app", method="POST")
    assert recorder.asked == [
        ("GET", "/v1/db/creds/app?role=a&role=b&ttl=1h", ""),
        ("PUT", "/v1/db/creds/app", '{"ttl":"1h"}'),
        ("PUT", "/v1/db/creds/app", "{}"),
    ]


async def test_a_body_without_data_is_an_empty_map(recorder: Recorder) -> None:
    """It is an answer, unlike none at all."""
    recorder.answers = [(200, {"request_id": "r", "data": None})]
    assert (await ask(recorder.url, path="p")).values == {}
    assert (await ask(recorder.url, path="p", resultType="Auth")).values == {}
    recorder.answers = [(404, {"warnings": ["gone"]})]
    assert (await ask(recorder.url, path="p")).values == {}


async def test_a_server_in_trouble_is_asked_again_as_the_settings_say(recorder: Recorder) -> None:
    """retrySettings of the generator."""
    recorder.answers = [(503, {"errors": ["sealed"]}), (200, {"data": {"k": "v"}})]
    made = await ask(recorder.url, path="p", retrySettings={"maxRetries": 2, "retryInterval": "10ms"})
    assert made.values == {"k": b"v"} and len(recorder.asked) == 2
    recorder.answers = [(403, {"errors": ["permission denied"]})]
    with pytest.raises(ProviderError, match="permission denied"):
        await ask(recorder.url, path="p")


@pytest.mark.parametrize(
    ("answer", "lifetime"),
    [
        ({"lease_id": "l", "lease_duration": 3600, "data": {"k": "v"}}, 3600.0),
        ({"lease_id": "", "lease_duration": 2764800, "data": {"k": "v"}}, None),
        ({"lease_id": "l", "lease_duration": 0, "data": {"k": "v"}}, None),
        ({"data": {"k": "v"}, "auth": {"lease_duration": 0}}, None),
        ({"lease_id": "l", "lease_duration": 90, "data": {"k": "v"}, "auth": {"lease_duration": 60}}, 60.0),
    ],
)
async def test_b075_a_lease_says_how_long_it_lasts(
    recorder: Recorder, answer: dict[str, Any], lifetime: float | None
) -> None:
    """B075: the duration of something that is no lease means nothing."""
    recorder.answers = [(200, answer)]
    assert (await ask(recorder.url, path="db/creds/app")).lifetime == lifetime
