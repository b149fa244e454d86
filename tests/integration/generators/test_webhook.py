"""The Webhook generator against an HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from controllers.templating.budget import Budget
from controllers.templating.texts import StoreTemplates
from eso_core.aio import SystemClock
from generators.errors import GeneratorFailed
from generators.interface import Generated, GeneratorContext
from generators.registry import GeneratorRegistry
from generators.testing import Case, GeneratorContract
from generators.webhook import WebhookGenerator
from providers.errors import InvalidData, NoSecret, NotModified, ProviderError
from providers.interface import ProviderOptions
from providers.testing import MemoryCluster


class Server:
    """Answers `status` and `text` to everything; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None, str]] = []
        self.status = 200
        self.text = (
            '{"user": "ines", "n": 1.5, "big": 9007199254740993, "on": true, "none": null, "o": {"b": [1], "a": "<"}}'
        )
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, request.headers.get("X-Api"), await request.text()))
        return web.Response(status=self.status, text=self.text)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
def kube() -> MemoryCluster:
    kube = MemoryCluster()
    kube.put("Secret", "ns", "login", token="planted t&k", field="tok")
    kube.objects["Secret", "ns", "login"]["metadata"]["labels"] = {"external-secrets.io/type": "webhook"}
    return kube


LOGIN = [{"name": "auth", "secretRef": {"name": "login", "key": "not-used"}}]


class TestContract(GeneratorContract):
    """What a server says."""

    @pytest.fixture
    async def case(self, server: Server) -> Case:
        server.text = '{"user": "planted-user"}'
        spec = {
            "url": server.url + "/x",
            "headers": {"X-Api": "{{ .auth.token }}"},
            "result": {},
            "secrets": LOGIN,
        }
        return Case(
            WebhookGenerator(),
            spec,
            secrets={"login": {"token": b"planted-token"}},
            labels={"external-secrets.io/type": "webhook"},
            refuses={**spec, "timeout": "soon"},
            fresh=False,
            options=ProviderOptions(request_timeout=10, templates=StoreTemplates(Budget())),
        )


async def ask(server: Server, kube: MemoryCluster, **fields: Any) -> Generated:
    body = {"url": f"{server.url}/x", "result": {}, **fields}
    _, spec = GeneratorRegistry(plugins=()).parse("Webhook", body)
    options = ProviderOptions(request_timeout=10, templates=StoreTemplates(Budget()))
    return await WebhookGenerator().generate(spec, GeneratorContext("ns", kube, SystemClock(), options=options))


async def test_every_member_of_the_answer_becomes_a_key(server: Server, kube: MemoryCluster) -> None:
    """Text as it is, numbers in plain decimals, objects as JSON."""
    made = await ask(server, kube)
    assert made.values == {
        "user": b"ines", "n": b"1.5", "big": b"9007199254740993", "on": b"true", "none": b"", "o": b'{"a":"\\u003c","b":[1]}',
    }  # fmt: skip
    assert server.asked == [("GET", "/x", None, "")] and "ines" not in repr(made)


async def test_a_field_is_called_as_the_generator_has_it(server: Server, kube: MemoryCluster) -> None:
    """Not as in a store, whose code it shares."""
    with pytest.raises(GeneratorFailed, match="^failed to parse provider spec: spec.timeout: "):
        await ask(server, kube, timeout="soon")


async def test_templates_know_the_secrets_and_nothing_else(server: Server, kube: MemoryCluster) -> None:
    """All keys of a Secret; what is not there prints <no value>."""
    await ask(
        server,
        kube,
        url=server.url + "/{{ .auth.field }}?none={{ .remoteRef }}",
        method="POST",
        headers={"X-Api": "{{ .auth.token }}"},
        body='{"f": "{{ .auth.field }}"}',
        secrets=LOGIN,
    )
    ((method, path, header, body),) = server.asked
    assert (method, header, body) == ("POST", "planted t&k", '{"f": "tok"}')
    assert path.startswith("/tok?none=") and "no" in path and "value" in path


async def test_the_path_of_the_result_is_a_template(server: Server, kube: MemoryCluster) -> None:
    """B074: it is, like everything else."""
    server.text = '{"tok": {"k": "T"}, "other": {"k": "wrong"}}'
    made = await ask(server, kube, result={"jsonPath": "$.{{ .auth.field }}"}, secrets=LOGIN)
    assert made.values == {"k": b"T"}


async def test_a_single_value_is_called_as_its_path_ends(server: Server, kube: MemoryCluster) -> None:
    """B074: the original takes objects only."""
    server.text = '{"tok":"T"}'
    made = await ask(server, kube, result={"jsonPath": "$.{{ .auth.field }}"}, secrets=LOGIN)
    assert made.values == {"tok": b"T"}
    server.text = '{"list": [{"n": 5}]}'
    assert (await ask(server, kube, result={"jsonPath": "$.list[0].n"})).values == {"n": b"5"}
    with pytest.raises(InvalidData, match="it has to be a JSON object"):
        await ask(server, kube, result={"jsonPath": "$.list"})
    with pytest.raises(InvalidData, match="it has to be a JSON object"):
        await ask(server, kube, result={"jsonPath": "$.list[*].n"})


async def test_an_object_may_be_written_as_text(server: Server, kube: MemoryCluster) -> None:
    """JSON in JSON."""
    server.text = '{"data": "{\\"a\\": 1}"}'
    assert (await ask(server, kube, result={"jsonPath": "$.data"})).values == {"a": b"1"}


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [(404, NoSecret, "exist"), (304, NotModified, "not modified"), (500, ProviderError, "endpoint gave error 500")],
)
async def test_statuses_have_meanings(
    server: Server, kube: MemoryCluster, status: int, error: type[Exception], text: str
) -> None:
    """404: nothing to make values of; 304: leave everything as it is."""
    server.status, server.text = status, "planted"
    with pytest.raises(error, match=text) as failed:
        await ask(server, kube)
    assert "planted" not in str(failed.value)


async def test_a_secret_without_the_label_is_not_used(server: Server, kube: MemoryCluster) -> None:
    """So that nobody sends other Secrets of the namespace away."""
    kube.put("Secret", "ns", "private", k="planted")
    secrets = [{"name": "auth", "secretRef": {"name": "private"}}]
    with pytest.raises(GeneratorFailed, match="external-secrets.io/type: webhook") as failed:
        await ask(server, kube, secrets=secrets)
    assert "planted" not in str(failed.value) and server.asked == []


async def test_what_is_no_object_is_named_but_not_shown(server: Server, kube: MemoryCluster) -> None:
    """An array, a text, no JSON at all."""
    for text in ('["planted"]', '"planted"', "planted"):
        server.text = text
        with pytest.raises(InvalidData) as failed:
            await ask(server, kube)
        assert "planted" not in str(failed.value)
