"""Hooks of a ``FakeClient``: they raise, wait, pass on, or answer."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.client import JsonPatch, MergePatch
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ConnectionLost
from eso_core.meta.wellknown import CONFIG_MAP, SERVICE_ACCOUNT
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient, Interceptor
from tests.unit.testing.fakeclient.test_objects import KEY, WIDGET, WIDGETS, config_map, widget

VERBS = ("get", "list", "create", "update", "patch", "apply", "delete", "delete_all_of", "watch")


async def _use(client: FakeClient, verb: str) -> Any:
    body = config_map(n="2")
    match verb:
        case "get":
            return await client.get(CONFIG_MAP, KEY)
        case "list":
            return await client.list(CONFIG_MAP, "a")
        case "create":
            return await client.create(config_map("new"))
        case "update":
            return await client.update(body)
        case "patch":
            return await client.patch(CONFIG_MAP, KEY, MergePatch({"data": {"n": "3"}}))
        case "apply":
            return await client.apply(body, "tester")
        case "delete":
            return await client.delete(CONFIG_MAP, KEY)
        case "delete_all_of":
            return await client.delete_all_of(CONFIG_MAP, "a")
        case _:
            async with client.watch(CONFIG_MAP, "a", resource_version="999"):
                return None


@pytest.mark.parametrize("verb", VERBS)
async def test_a_hook_that_raises_fails_its_verb_and_no_other(verb: str) -> None:
    """T-10: each verb has a hook of its own."""
    seen: list[str] = []

    async def fail(client: FakeClient, *arguments: Any, **options: Any) -> Any:
        seen.append(verb)
        raise ConnectionLost("made up")

    async with FakeClient(config_map(n="1"), interceptor=Interceptor(**{verb: fail})) as client:
        with pytest.raises(ConnectionLost, match="made up"):
            await _use(client, verb)
        assert seen == [verb]
        for other in VERBS:
            if other != verb:
                await _use(client, other)
                if other == "delete" and verb != "create":
                    await client.create(config_map(n="1"))
        assert seen == [verb]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "watch"])
async def test_a_hook_passes_on(verb: str) -> None:
    """T-10: the hook's client has no hooks, so that it does what the verb would do."""

    async def pass_on(client: FakeClient, *arguments: Any, **options: Any) -> Any:
        return await getattr(client, verb)(*arguments, **options)

    async with FakeClient(config_map(n="1")) as plain, FakeClient(config_map(n="1")) as hooked:
        hooked.intercept(**{verb: pass_on})
        expected, found = await _use(plain, verb), await _use(hooked, verb)
        if isinstance(expected, dict) and "data" in expected:
            assert found["data"] == expected["data"]
            assert found["metadata"]["resourceVersion"] == expected["metadata"]["resourceVersion"]
        else:
            assert type(found) is type(expected)


async def test_a_hook_delays_on_the_fake_clock() -> None:
    """T-10: slowness costs the test no time."""
    clock = FakeClock(auto=True)

    async def slow(client: FakeClient, *arguments: Any, **options: Any) -> Any:
        await client.clock.sleep(30)
        return await client.get(*arguments, **options)

    async with FakeClient(config_map(), clock=clock, interceptor=Interceptor(get=slow)) as client:
        began = clock.monotonic()
        await client.get(CONFIG_MAP, KEY)
        assert clock.monotonic() - began == 30


async def test_subresources_have_hooks_of_their_own() -> None:
    """T-10: token requests, status writes by each of their ways."""
    seen: list[tuple[str, str]] = []

    def note(verb: str) -> Any:
        async def hook(client: FakeClient, kind: Any, name: str, *arguments: Any, **options: Any) -> Any:
            seen.append((verb, name))
            return await getattr(client.subresource(kind, name), verb)(*arguments, **options)

        return hook

    verbs = ("get", "create", "update", "patch")
    hooks = Interceptor(**{f"subresource_{verb}": note(verb) for verb in verbs})
    async with FakeClient(widget(), kinds=[WIDGETS], interceptor=hooks) as client:
        await client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s", "namespace": "a"}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await client.subresource(SERVICE_ACCOUNT, "token").create(ObjectKey("a", "s"), request)
        assert answer["status"]["token"]
        found = await client.get(WIDGET, KEY)
        found = await client.update_status({**found, "status": {"n": 1}})
        assert found["status"] == {"n": 1}
        ops = JsonPatch([{"op": "replace", "path": "/status/n", "value": 2}])
        assert (await client.patch(WIDGET, KEY, ops, subresource="status"))["status"] == {"n": 2}
        assert (await client.status(WIDGET).get(KEY))["status"] == {"n": 2}
        assert seen == [("create", "token"), ("update", "status"), ("patch", "status"), ("get", "status")]
