"""The test kit for generators: what every kind must do, as tests that its author runs.

    class TestTicket(GeneratorContract):
        @pytest.fixture
        async def case(self) -> AsyncIterator[Case]:
            async with a_ticket_server() as server:
                yield Case(Ticket(), {"url": server.url, "auth": {"name": "login", "key": "token"}},
                           secrets={"login": {"token": b"let-me-in"}}, living=server.tickets)

Needs pytest and pytest-asyncio (in its automatic mode).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import pytest
import structlog

from eso_core.aio import SystemClock
from eso_core.meta import JsonObject
from eso_core.model import structural_schema
from generators.interface import Generated, Generator, GeneratorContext
from generators.registry import GeneratorRegistry
from generators.spec import GeneratorSpec
from providers.errors import InvalidSpec, ProviderError
from providers.interface import ProviderOptions
from providers.testing import MemoryCluster

__all__ = ["Case", "GeneratorContract"]

NAMESPACE = "contract"
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass
class Case:
    """One generator to be tested.

    Attributes:
        generator: What is tested.
        spec: A `spec` that works.
        secrets: Secrets that `spec` refers to: name to key to value.
        labels: Labels of all of them.
        refuses: A `spec` that cannot work, if there is one.
        fresh: Whether each call makes other values.
        living: How many things that it made are there outside, for a generator with a state.
        options: Settings of the operator.
    """

    generator: Generator
    spec: JsonObject
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    refuses: JsonObject | None = None
    fresh: bool = True
    living: Callable[[], int] | None = None
    options: ProviderOptions = field(default_factory=ProviderOptions)

    def cluster(self, namespace: str = NAMESPACE) -> MemoryCluster:
        """The Secrets, in one namespace."""
        cluster = MemoryCluster()
        for name, values in self.secrets.items():
            cluster.put("Secret", namespace, name, **values)
            cluster.objects["Secret", namespace, name]["metadata"]["labels"] = dict(self.labels)
        return cluster

    def context(self, cluster: MemoryCluster | None = None) -> GeneratorContext:
        """What it may use."""
        kube = self.cluster() if cluster is None else cluster
        return GeneratorContext(NAMESPACE, kube, SystemClock(), options=self.options, name="contract")

    def model(self, spec: JsonObject | None = None) -> GeneratorSpec:
        """The spec, read as the operator reads it."""
        registry = GeneratorRegistry(plugins=())
        registry.register(self.generator)
        return registry.parse(self.generator.kind, self.spec if spec is None else spec)[1]

    async def generate(self, cluster: MemoryCluster | None = None) -> Generated:
        """Values of the spec that works."""
        return await self.generator.generate(self.model(), self.context(cluster))


class GeneratorContract:
    """Subclass it, name the subclass `Test…`, and give it a fixture `case`. Tests that do not apply skip and say why."""

    @pytest.fixture
    async def case(self) -> AsyncIterator[Case]:
        """What is tested: the author's subclass replaces this."""
        raise NotImplementedError("a GeneratorContract needs a fixture `case` that yields a Case")
        yield

    async def test_the_kind_has_a_definition(self, case: Case) -> None:
        """Its names fit, and its spec has a schema."""
        generator = case.generator
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", generator.kind)
        assert re.fullmatch(r"[a-z0-9]+", generator.plural)
        assert generator.member.endswith("Spec")
        assert structural_schema(generator.spec)["type"] == "object"

    async def test_values_are_bytes_under_keys_of_a_secret(self, case: Case) -> None:
        """What it makes can be written as it is."""
        made = await case.generate()
        assert made.values
        for key, value in made.values.items():
            assert _KEY.fullmatch(key), key
            assert isinstance(value, bytes)
        assert made.lifetime is None or made.lifetime > 0

    async def test_every_call_is_for_itself(self, case: Case) -> None:
        """Nothing is remembered: two references to one generator are two results."""
        if not case.fresh:
            pytest.skip("this generator says the same twice")
        first, second = await case.generate(), await case.generate()
        assert first.values != second.values

    async def test_references_are_those_of_who_asks(self, case: Case) -> None:
        """Secrets are read in the namespace of the context, and in no other."""
        if not case.secrets:
            pytest.skip("this generator refers to nothing")
        cluster = case.cluster()
        await case.generate(cluster)
        assert {namespace for _, namespace, _ in cluster.reads} == {NAMESPACE}
        with pytest.raises(ProviderError) as caught:
            await case.generate(case.cluster("another"))
        assert any(name in str(caught.value) for name in case.secrets)

    async def test_what_cannot_work_is_an_error_that_only_an_edit_heals(self, case: Case) -> None:
        """Not retried, and with a reason."""
        if case.refuses is None:
            pytest.skip("this generator takes everything")
        with pytest.raises((ProviderError, InvalidSpec)) as caught:
            await case.generator.generate(case.model(case.refuses), case.context())
        assert str(caught.value) and not caught.value.retryable

    async def test_what_was_made_can_be_taken_back(self, case: Case) -> None:
        """By its state alone, which is JSON, and twice."""
        before = case.living() if case.living is not None else 0
        made = await case.generate()
        if made.state is None:
            assert case.living is None
            pytest.skip("this generator leaves nothing behind")
        state = json.loads(json.dumps(made.state))
        if case.living is not None:
            assert case.living() == before + 1
        await case.generator.cleanup(case.model(), state, case.context())
        await case.generator.cleanup(case.model(), state, case.context())
        if case.living is not None:
            assert case.living() == before

    async def test_no_value_is_seen_outside_of_results(
        self, case: Case, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Not in reprs, in logs or on the screen."""
        caplog.set_level(logging.DEBUG)
        with structlog.testing.capture_logs() as events:
            made = await case.generate()
        seen = [repr(made), repr(case.model()), repr(events), caplog.text, *capsys.readouterr()]
        hidden = [value for value in made.values.values() if len(value) > 3]
        hidden += [value for values in case.secrets.values() for value in values.values()]
        for value in hidden:
            assert all(value.decode("utf-8", "replace") not in text for text in seen)
