"""Defects around dataFrom, rewriting and finding."""

from __future__ import annotations

import json

import pytest

from eso_core.meta.errors import Invalid
from tests.integration.operator.harness import running


async def test_b038_rewrite_sees_the_keys_of_the_backend() -> None:
    """B038: slashes are not converted before the pattern looks at them."""
    async with running() as cluster:
        await cluster.fake({"path/to/my/user": "u", "path/to/my/pass": "p"})
        rewrite = [{"regexp": {"source": "path/to/my/(.*)", "target": "$1"}}]
        await cluster.es("r", dataFrom=[{"find": {"name": {"regexp": "path/to/my/.*"}}, "rewrite": rewrite}])
        await cluster.has_data("r", {"user": "u", "pass": "p"})


async def test_b039_conversion_without_rewrite() -> None:
    """B039: illegal characters are replaced, and a collision is an error that names the key."""
    async with running() as cluster:
        await cluster.fake({"m": json.dumps({"a/b": "1", "k[0]": "2"}), "c": json.dumps({"a/b": "1", "a_b": "2"})})
        await cluster.es("default", dataFrom=[{"extract": {"key": "m", "conversionStrategy": "Default"}}])
        await cluster.has_data("default", {"a_b": "1", "k_0_": "2"})
        await cluster.es("unicode", dataFrom=[{"extract": {"key": "m", "conversionStrategy": "Unicode"}}])
        await cluster.has_data("unicode", {"a_U002f_b": "1", "k_U005b_0_U005d_": "2"})
        await cluster.es("collides", dataFrom=[{"extract": {"key": "c"}}])
        await cluster.failed("collides", "could not get secret data from provider")
        await cluster.has_event("collides", "Warning", "UpdateFailed", "secret name collision during conversion: a_b")


async def test_b040_colliding_rewrites_are_steady_and_told_once() -> None:
    """B040: the value never flips over many forced refreshes, and one event per generation names the sources."""
    async with running() as cluster:
        await cluster.fake({"x.pw": "x", "y.pw": "y"})
        rewrite = [{"regexp": {"source": "^.*\\.", "target": ""}}]
        await cluster.es("c", dataFrom=[{"find": {"name": {"regexp": "pw$"}}, "rewrite": rewrite}])
        await cluster.has_data("c", {"pw": "y"})
        for number in range(20):
            await cluster.poke("c", str(number))
            await cluster.synced("c")
            assert await cluster.data("c") == {"pw": "y"}
        message = await cluster.has_event("c", "Warning", "KeyCollision")
        assert '"x.pw"' in message and '"y.pw"' in message
        collisions = [reason for _, reason, _ in await cluster.events("c") if reason == "KeyCollision"]
        assert collisions == ["KeyCollision"]


@pytest.mark.parametrize(
    "operation",
    [{}, {"regexp": {"source": "a", "target": "b"}, "transform": {"template": "{{ .value }}"}}],
)
async def test_b041_a_rewrite_item_has_exactly_one_operation(operation: dict[str, object]) -> None:
    """B041: the API refuses none and two."""
    async with running(start=False) as cluster:
        with pytest.raises(Invalid):
            await cluster.es("r", dataFrom=[{"extract": {"key": "k"}, "rewrite": [operation]}])


async def test_b042_merged_numbers_keep_their_digits() -> None:
    """B042: a long id survives rewrite.merge."""
    async with running() as cluster:
        await cluster.fake({"s": '{"id": 8019210420527506405}'})
        await cluster.es("n", dataFrom=[{"find": {"name": {"regexp": "^s$"}}, "rewrite": [{"merge": {}}]}])
        await cluster.has_data("n", {"id": "8019210420527506405"})


async def test_b085_no_event_or_condition_quotes_a_value() -> None:
    """B085: text that is no JSON is refused without being shown."""
    async with running() as cluster:
        await cluster.fake({"k": "hunter2", "m": '{"k": hunter2}'})
        await cluster.es("extract", dataFrom=[{"extract": {"key": "k"}}])
        await cluster.es("merge", dataFrom=[{"find": {"name": {"regexp": "m"}}, "rewrite": [{"merge": {}}]}])
        for name in ("extract", "merge"):
            await cluster.failed(name, "could not get secret data from provider")
            message = await cluster.has_event(name, "Warning", "UpdateFailed")
            assert "hunter2" not in message
            assert "spec.dataFrom[0]" in message
