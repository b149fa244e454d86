"""How a program ends, and what it tells of its failures: `operator.run()`, and `sys.exit()` in a reconcile."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.builder import Operator
from eso_core.controller import Context, Request
from eso_core.controller.result import ReconcileAborted
from eso_core.meta.errors import ConfigError, LeaderElectionLost, ManagerError
from eso_core.meta.wellknown import CONFIG_MAP


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def failing(error: BaseException) -> Operator:
    operator = Operator("sites")

    async def serve() -> None:
        raise error

    operator.serve = serve  # type: ignore[method-assign]
    return operator


TAKEN = OSError(errno.EADDRINUSE, "serving metrics on :8080: choose another address")
NO_LEASE = ConfigError("electing a leader: say in which namespace the lease is")


@pytest.mark.parametrize(
    "error",
    [
        NO_LEASE,
        LeaderElectionLost("leader election lost"),
        caused(ManagerError("running the manager: start failed: taken"), TAKEN),
        caused(ManagerError("running the manager: start failed: two"), BaseExceptionGroup("parts", [TAKEN, NO_LEASE])),
    ],
)
def test_what_the_surroundings_lack_is_one_line_and_status_1(error: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback says nothing to whoever has to free a port; it is in the log at debug."""
    with capture_logs() as logs, pytest.raises(SystemExit) as ended:
        failing(error).run()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"sites: {error}\n"
    (line,) = logs
    assert (line["log_level"], line["exc_info"]) == ("debug", error)
    with pytest.raises(type(error)):
        failing(error).run(traceback=True)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("spec"),
        caused(ManagerError("running the manager: Part failed"), KeyError("spec")),
        caused(ManagerError("two failed"), BaseExceptionGroup("parts", [TAKEN, KeyError("spec")])),
        caused(ManagerError("failed"), caused(ReconcileAborted("reconciling n/a"), GeneratorExit())),
    ],
)
def test_an_error_of_the_program_keeps_its_traceback(error: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Its author has to find the place."""
    with pytest.raises(type(error)):
        failing(error).run()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("code", "told"), [(3, True), (0, False), (None, False)])
def test_the_exit_of_a_reconcile_is_the_status_of_the_program(
    code: int | None, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the ordered stop."""
    error = caused(ManagerError("running the manager: failed"), caused(ReconcileAborted("n/a"), SystemExit(code)))
    with pytest.raises(SystemExit) as ended:
        failing(error).run()
    assert ended.value.code == code
    assert capsys.readouterr().err == ("sites: running the manager: failed\n" if told else "")


class Odd(BaseException):
    """No Exception."""


@pytest.mark.parametrize("raised", [SystemExit(3), GeneratorExit(), Odd("odd")])
@pytest.mark.parametrize("plain", [False, True])
async def test_what_ends_a_program_in_a_reconcile_stops_the_manager_in_order(
    kit: Any, raised: BaseException, plain: bool
) -> None:
    """K-31: sys.exit() included; the error names the object and what was raised."""
    ended: list[bool] = []

    class Good:
        async def start(self) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.append(True)

    async def reconcile(ctx: Context, request: Request) -> None:
        raise raised

    def in_a_thread(ctx: Context, request: Request) -> None:
        raise raised

    manager = kit.manager()
    manager.add(Good())
    manager.controller(in_a_thread if plain else reconcile).for_(CONFIG_MAP)
    kit.api.server(CONFIG_MAP).put("a")
    run = kit.run(manager)
    await kit.clock.advance(1)
    while plain and not run.done():
        await asyncio.sleep(0.001)
        await kit.clock.advance(1)
    error = run.exception()
    assert isinstance(error, ManagerError)
    assert f"/a: it raised {type(raised).__name__}(" in str(error)
    assert error.__cause__ is not None
    assert type(error.__cause__.__cause__) is type(raised)
    assert ended == [True]
