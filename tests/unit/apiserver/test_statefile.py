"""The state file: what survives a stop, a kill, and a second server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.storage.statefile import StateError
from tests.unit.apiserver.conftest import Caller, config_map, definition

MAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS = "/apis/test.example.io/v1/namespaces/default/widgets"


def options(path: Path) -> ApiServerOptions:
    return ApiServerOptions(tls=False, state_file=path)


async def test_objects_definitions_and_the_token_survive_a_restart(tmp_path: Path) -> None:
    """The second server goes on at the version where the first one stopped."""
    path = tmp_path / "state"
    async with await ApiServer.start(options(path)) as first:
        call = Caller(first)
        await call("POST", MAPS, config_map("kept", k="v"))
        await call("POST", MAPS, config_map("gone"))
        await call("DELETE", f"{MAPS}/gone")
        first.install(definition())
        widget = {"apiVersion": "test.example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"a": 1}}
        assert (await call("POST", WIDGETS, widget)).status == 201
        token, version = first.token, (await call("GET", MAPS)).body["metadata"]["resourceVersion"]
        kept = (await call("GET", f"{MAPS}/kept")).body
    async with await ApiServer.start(options(path)) as second:
        call = Caller(second)
        assert second.token == token
        assert (await call("GET", f"{MAPS}/kept")).body == kept
        assert (await call("GET", f"{MAPS}/gone")).status == 404
        assert (await call("GET", f"{WIDGETS}/w")).body["spec"] == {"a": 1}
        listed = await call("GET", MAPS)
        assert int(listed.body["metadata"]["resourceVersion"]) >= int(version)


async def test_a_record_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    """A kill in the middle of a write costs that write only."""
    path = tmp_path / "state"
    async with await ApiServer.start(options(path)) as first:
        await Caller(first)("POST", MAPS, config_map("a"))
    text = path.read_bytes()
    path.write_bytes(text + b'{"table":"configmaps","key":"default/b","revision":99,"obj')
    async with await ApiServer.start(options(path)) as second:
        assert (await Caller(second)("GET", f"{MAPS}/a")).status == 200


async def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    """The error names the file and the way out."""
    path = tmp_path / "state"
    async with await ApiServer.start(options(path)):
        with pytest.raises(StateError, match="another server uses it: stop that one or choose another file"):
            await ApiServer.start(options(path))
    async with await ApiServer.start(options(path)):
        pass


async def test_a_file_that_is_no_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Nothing is overwritten by mistake."""
    path = tmp_path / "state"
    path.write_text("something else\n")
    with pytest.raises(StateError, match="remove the file to start afresh"):
        await ApiServer.start(options(path))
    assert path.read_text() == "something else\n"


async def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """It holds Secrets and keys."""
    path = tmp_path / "state"
    async with await ApiServer.start(options(path)):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_file_is_rewritten_when_it_has_outgrown_what_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand updates of one object do not stay in the file."""
    monkeypatch.setattr("eso_core.testing.apiserver.storage.statefile._SLACK", 64 * 1024)
    path = tmp_path / "state"
    async with await ApiServer.start(options(path)) as server:
        call = Caller(server)
        await call("POST", MAPS, config_map("a"))
        for number in range(1000):
            body = {"data": {"k": f"{number:0500}"}}
            await call("PATCH", f"{MAPS}/a", body, type="application/merge-patch+json")
    assert path.stat().st_size < 300 * 1024
    async with await ApiServer.start(options(path)) as server:
        assert (await Caller(server)("GET", f"{MAPS}/a")).body["data"]["k"] == f"{999:0500}"


async def test_a_snapshot_starts_servers_that_share_nothing_but_the_beginning(tmp_path: Path) -> None:
    """T-64: many servers from one prepared state."""
    async with await ApiServer.start(ApiServerOptions(tls=False)) as prepared:
        prepared.install(definition())
        await Caller(prepared)("POST", MAPS, config_map("a"))
        snapshot = prepared.snapshot()
    async with (
        await ApiServer.start(ApiServerOptions(tls=False, snapshot=snapshot)) as one,
        await ApiServer.start(ApiServerOptions(tls=False, snapshot=snapshot)) as two,
    ):
        assert (await Caller(one)("DELETE", f"{MAPS}/a")).status == 200
        assert (await Caller(two)("GET", f"{MAPS}/a")).status == 200
        assert (await Caller(two)("GET", WIDGETS)).status == 200
