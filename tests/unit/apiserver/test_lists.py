"""Lists: pages of one snapshot, versions, representations."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from tests.unit.apiserver.conftest import Caller, config_map

MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"


def secret(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 7), st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=12))
async def test_pages_show_the_state_of_the_first_page(limit: int, changes: list[tuple[int, bool]]) -> None:
    """T-35: whatever is written between pages, together they are one snapshot, in order and without repetition."""
    async with await ApiServer.start(ApiServerOptions(tls=False)) as server:
        call = Caller(server)
        for number in range(0, 13, 2):
            await call("POST", SECRETS, secret(f"s{number:02}"))
        expected = [item["metadata"]["name"] for item in (await call("GET", SECRETS)).body["items"]]
        seen: list[str] = []
        token = ""
        pending = list(changes)
        while True:
            page = (await call("GET", f"{SECRETS}?limit={limit}&continue={token}")).body
            seen += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")
            assert page["metadata"].get("remainingItemCount", 0) == len(expected) - len(seen)
            if not token:
                break
            if pending:
                number, create = pending.pop()
                if create:
                    await call("POST", SECRETS, secret(f"s{number:02}"))
                else:
                    await call("DELETE", f"{SECRETS}/s{number:02}")
        assert seen == expected


async def test_a_version_ahead_of_the_server_is_a_timeout_to_retry(call: Caller) -> None:
    """2.1: 504 with cause ResourceVersionTooLarge."""
    reply = await call("GET", f"{MAPS}?resourceVersion=99999")
    assert (reply.status, reply.body["reason"]) == (504, "Timeout")
    assert reply.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert reply.header("retry-after") == ["1"]


async def test_an_expired_page_offers_a_token_to_go_on_with(call: Caller, server: ApiServer) -> None:
    """T-35: 410, and the rest of the list as it is now."""
    for name in "abc":
        await call("POST", SECRETS, secret(name))
    token = (await call("GET", f"{SECRETS}?limit=1")).body["metadata"]["continue"]
    await call("POST", SECRETS, secret("bb"))
    server.compact()
    reply = await call("GET", f"{SECRETS}?limit=1&continue={token}")
    assert (reply.status, reply.body["reason"]) == (410, "Expired")
    fresh = reply.body["metadata"]["continue"]
    rest = await call("GET", f"{SECRETS}?continue={fresh}")
    assert [item["metadata"]["name"] for item in rest.body["items"]] == ["b", "bb", "c"]


async def test_a_list_by_name_needs_no_scan_but_answers_the_same(call: Caller) -> None:
    """T-59: metadata.name with other terms."""
    await call("POST", MAPS, config_map("a"))
    one = await call("GET", f"{MAPS}?fieldSelector=metadata.name%3Da")
    assert [item["metadata"]["name"] for item in one.body["items"]] == ["a"]
    none = await call("GET", f"{MAPS}?fieldSelector=metadata.name%3Da,metadata.namespace%3Dother")
    assert none.body["items"] == []


async def test_tables_carry_what_includeobject_asks_for(call: Caller) -> None:
    """T-34: nothing, metadata, or the whole object."""
    await call("POST", MAPS, config_map("a", k="v"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    rows = {}
    for wanted in ("None", "Metadata", "Object"):
        table = (await call("GET", f"{MAPS}/a?includeObject={wanted}", accept=accept)).body
        assert table["rows"][0]["cells"][:2] == ["a", 1]
        rows[wanted] = table["rows"][0]["object"]
    assert rows["None"] is None
    assert rows["Metadata"]["kind"] == "PartialObjectMetadata"
    assert rows["Object"]["data"] == {"k": "v"}
