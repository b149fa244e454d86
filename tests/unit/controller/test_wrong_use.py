"""What a first controller gets wrong is said at once, with what to write instead."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.builder import Operator
from eso_core.client import finalize
from eso_core.controller import Context, Request, Result, enqueue_indexed, enqueue_object, predicates
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import ManagerError, NotCached
from eso_core.meta.wellknown import CONFIG_MAP, DEPLOYMENT, SECRET
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient

QUIET = ManagerOptions(metrics_addr="0", health_addr="0")
CONFIG_METADATA = {"name": "a", "namespace": "n"}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": CONFIG_METADATA}


async def nothing(ctx: Context, request: Request) -> None:
    """Does nothing."""


async def one_argument(ctx: Context) -> None:
    """Lacks the request."""


def yields(ctx: Context, request: Request) -> Iterator[int]:
    """Is a generator."""
    yield 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"namespaces": "default"}, r"is one string: give a list, \['default'\]"),
        ({"metrics_addr": 8080}, "metrics_addr=8080 is no string: write ':8080'"),
        ({"leader_election": "sites"}, "or LeaderElectionOptions"),
    ],
)
def test_wrong_arguments_of_an_operator_name_the_right_ones(wrong: dict[str, Any], said: str) -> None:
    """A string of namespaces would be one namespace per letter."""
    with pytest.raises(TypeError, match=said):
        Operator("sites", **wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"owns": DEPLOYMENT}, r"owns is GVK, not a list: write owns=\[\.\.\.\]"),
        ({"owns": "Deployment"}, "owns is str, not a list"),
        ({"predicates": lambda event: True}, "predicates is function, not a list"),
        ({"watches": [SECRET]}, r"watches is list, not a dictionary: write \{kind: handler\}"),
        ({"max_concurrent": 3}, "max_concurrent is called workers here"),
        ({"workers": "4"}, "workers='4' is no number"),
        ({"worker": 4}, "there is no 'worker': did you mean workers"),
        ({"max_tries": 3}, "there is no 'max_tries': choose from cache_sync_timeout, .*workers"),
    ],
)
def test_wrong_arguments_of_a_controller_name_the_right_ones(wrong: dict[str, Any], said: str) -> None:
    """Kinds are tuples, which would pass for lists."""
    with pytest.raises(TypeError, match=said):
        Operator("sites").controller(CONFIG_MAP, **wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "None is no function"),
        (one_argument, "one_argument.* cannot be called with a context and a request"),
        (yields, "yields is a generator: return a Result"),
    ],
)
def test_a_function_that_cannot_reconcile_is_refused_when_it_is_declared(wrong: Any, said: str) -> None:
    """Rather than in each of its runs."""
    with pytest.raises(TypeError, match=said):
        Operator("sites").controller(CONFIG_MAP)(wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"watches": {SECRET: "by-secret"}},
            r"watching Secret: the handler is str, not a function: take enqueue_indexed",
        ),
        ({"predicates": [lambda event: True]}, r"watching ConfigMap: .* is no predicate: wrap .* predicates\.fn"),
    ],
)
async def test_wrong_parts_of_a_controller_are_found_when_the_manager_is_made(wrong: Any, said: str) -> None:
    """The fluent form says the same."""
    operator = Operator("sites")
    operator.controller(CONFIG_MAP, **wrong)(nothing)
    async with FakeClient() as client:
        with pytest.raises(TypeError, match=said):
            await operator.manager(client, QUIET)


async def test_a_wrapped_function_is_a_predicate() -> None:
    """What the message about predicates says to write."""
    operator = Operator("sites")
    operator.controller(CONFIG_MAP, predicates=[predicates.fn(lambda event: True)])(nothing)
    async with FakeClient() as client:
        manager = await operator.manager(client, QUIET)
        assert manager.cache.find(CONFIG_MAP) is not None


async def test_an_index_before_its_informer_says_in_which_order_they_come() -> None:
    """Steps and controllers are made in the order of their declaration."""
    operator = Operator("sites")
    operator.on_manager(lambda manager: manager.cache.index(CONFIG_MAP, "by-secret", lambda meta, obj: []))
    operator.controller(CONFIG_MAP)(nothing)
    async with FakeClient() as client:
        with pytest.raises(NotCached, match="adding index 'by-secret': no informer holds ConfigMap yet: do it after"):
            await operator.manager(client, QUIET)


async def run(operator: Operator, *objects: Any, seconds: float = 1.0) -> tuple[Manager, list[Any]]:
    """The manager after this time, and the log."""
    clock = FakeClock()
    with capture_logs() as logs:
        async with FakeClient(*objects, clock=clock) as client:
            manager = await operator.manager(client, QUIET, clock=clock)
            async with TaskScope("manager") as scope:
                scope.spawn(manager.run(), name="manager")
                await clock.advance(seconds)
                manager.stop()
                await clock.advance(60)
    return manager, logs


async def test_declared_controllers_run_on_a_client_and_a_clock_of_the_test() -> None:
    """`operator.manager` takes both, so that a test need not declare everything again."""
    operator = Operator("sites")
    keys: list[ObjectKey] = []

    @operator.controller(CONFIG_MAP)
    async def reconcile(ctx: Context, request: Request) -> Result:
        if request.namespace == "n" and request.name == "a":
            keys.append(request.key)
        return Result.after(minutes=1)

    await run(operator, CONFIG, seconds=150.0)
    assert keys == [ObjectKey("n", "a")] * 3


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (30, r"returned int, not a Result or None: to run again .* return Result\.after\(seconds=30\)"),
        (True, r"returned bool, not a Result or None: return Result\.after"),
        ({}, r"returned dict, not a Result or None: return Result\.after"),
    ],
)
async def test_a_wrong_result_says_what_to_return(returned: Any, said: str) -> None:
    """It counts as a failure, and is tried again."""
    operator = Operator("sites")

    @operator.controller(CONFIG_MAP)
    async def reconcile(ctx: Context, request: Request) -> Any:
        return returned

    _, logs = await run(operator, CONFIG)
    with pytest.raises(TypeError, match=said):
        raise next(entry["exc_info"] for entry in logs if entry["event"] == "Reconciler error")


async def test_a_function_that_returns_a_coroutine_is_told_to_be_async() -> None:
    """The coroutine is closed: no warning that nobody awaited it."""
    operator = Operator("sites")

    @operator.controller(CONFIG_MAP)
    def reconcile(ctx: Context, request: Request) -> Any:
        return nothing(ctx, request)

    _, logs = await run(operator, CONFIG)
    with pytest.raises(
        TypeError, match="returned coroutine, not a Result or None: declare the reconciler with `async def`"
    ):
        raise next(entry["exc_info"] for entry in logs if entry["event"] == "Reconciler error")


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1, -0.001])
def test_a_time_that_never_comes_is_refused(wrong: float) -> None:
    """Nobody would hear of it: the key would just not run again."""
    with pytest.raises(ValueError, match=r"Result\.after: seconds=.* is no time to wait: .* max\(1, seconds\)"):
        Result.after(wrong)
    with pytest.raises(ValueError, match=r"Result: requeue_after=.* is no time to wait: give 0 \(no run\) or more"):
        Result(requeue_after=wrong)


async def test_a_plain_function_that_uses_the_client_is_told_to_be_async() -> None:
    """What Python says of the coroutine helps nobody who has not seen it before."""
    operator = Operator("sites")
    held = threading.Event()

    @operator.controller(CONFIG_MAP)
    def reconcile(ctx: Context, request: Request) -> None:
        found: Any = ctx.client.get(CONFIG_MAP, request.key)
        try:
            found["data"]
        finally:
            found.close()
            held.set()

    clock = FakeClock()
    with capture_logs() as logs:
        async with FakeClient(CONFIG, clock=clock) as client, TaskScope("manager") as scope:
            manager = await operator.manager(client, QUIET, clock=clock)
            scope.spawn(manager.run(), name="manager")
            await clock.advance(0.001)
            while not any("exc_info" in entry for entry in logs):  # noqa: ASYNC110 - the thread has no event
                await asyncio.sleep(0.001)
            manager.stop()
            await clock.advance(60)
    assert held.is_set()
    (note, *_) = next(entry["exc_info"] for entry in logs if "exc_info" in entry).__notes__
    assert "declare it with `async def`, and make blocking calls with `await asyncio.to_thread" in note


async def test_the_fluent_form_names_its_options() -> None:
    """They are those of `ControllerOptions`."""
    async with FakeClient() as client:
        with pytest.raises(TypeError, match="there is no 'retries': choose from max_concurrent, rate_limiter"):
            Manager(client).controller(nothing).for_(CONFIG_MAP).options(retries=3)


def test_a_time_as_text_says_what_reads_it() -> None:
    """Specs have durations as text."""
    with pytest.raises(TypeError, match=r"Result\.after: '5m' is a text: .* take parse_duration\(text\)"):
        Result.after("5m")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["5m", True, timedelta(minutes=5)])
def test_a_time_that_is_no_number_is_refused(wrong: Any) -> None:
    """At once, with what takes other forms."""
    with pytest.raises(TypeError, match=r"not seconds: Result\.after\(\.\.\.\) takes minutes, hours and timedeltas"):
        Result(requeue_after=wrong)


async def test_a_time_in_the_past_is_a_failure_of_that_run_and_tried_again() -> None:
    """The back-off runs it again, and the log says what to write."""
    operator, runs = Operator("sites"), 0

    @operator.controller(CONFIG_MAP)
    async def reconcile(ctx: Context, request: Request) -> Result:
        nonlocal runs
        runs += request.name == "a"
        return Result.after(-5)

    _, logs = await run(operator, CONFIG)
    assert runs > 1
    assert any("is no time to wait" in str(entry.get("exc_info")) for entry in logs)


async def test_a_handler_of_an_index_that_is_not_there_names_the_index() -> None:
    """The log says how to add it; the other events go on."""
    operator = Operator("sites")
    operator.controller(CONFIG_MAP, watches={SECRET: enqueue_indexed(CONFIG_MAP, "typo"), DEPLOYMENT: enqueue_object})(
        nothing
    )
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
    _, logs = await run(operator, CONFIG, secret)
    failed = next(entry for entry in logs if entry["event"] == "event handler failed")
    with pytest.raises(
        LookupError,
        match=r"each ConfigMap that refers to n/s: there is no index 'typo': give the controller .*indexes=\{name: function\}",
    ):
        raise failed["exc_info"]


async def test_an_index_function_may_return_its_one_value() -> None:
    """A string is not taken apart into letters, under which nothing would ever be found."""
    operator = Operator("sites")
    operator.controller(CONFIG_MAP)(nothing)
    operator.on_manager(lambda manager: manager.cache.index(CONFIG_MAP, "by-secret", lambda meta, obj: "n/s"))
    manager, _ = await run(operator, CONFIG)
    found = manager.cache.informer(CONFIG_MAP).select("n", index=("by-secret", "n/s"))
    assert ObjectKey("n", "a") in [entry.key for entry in found]


async def test_a_lease_without_a_namespace_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a pod there is none to take."""
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    operator = Operator("sites", leader_election=True)
    operator.controller(CONFIG_MAP)(nothing)
    async with FakeClient(clock=FakeClock()) as client:
        manager = await operator.manager(client, replace(QUIET, leader_election=LeaderElectionOptions("sites")))
        with pytest.raises(ManagerError, match=r"LeaderElectionOptions\(name, namespace=.*\) or .* POD_NAMESPACE"):
            await manager.run()


async def test_an_address_that_is_taken_is_named_with_its_option() -> None:
    """The second copy on one machine meets this."""
    operator = Operator("sites")
    operator.controller(CONFIG_MAP)(nothing)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with FakeClient() as client:
            manager = await operator.manager(client, ManagerOptions(metrics_addr=address, health_addr="0"))
            with pytest.raises(ManagerError, match=rf"serving metrics on {address}: .*choose another .*metrics_addr"):
                await manager.run()


async def test_a_finalizer_function_that_is_not_async_is_told_to_be() -> None:
    """The finalizer stays, and the object with it, until the function is right."""
    held = {**CONFIG, "metadata": {**CONFIG_METADATA, "finalizers": ["example.com/x"]}}
    async with FakeClient(held) as client:
        with pytest.raises(TypeError, match="finalize: apply returned NoneType, nothing to await: declare it with"):
            await finalize(client, held, "example.com/x", lambda obj: None, lambda obj: None)  # type: ignore[arg-type, return-value]
        await client.delete(CONFIG_MAP, ObjectKey("n", "a"))
        deleting = await client.get(CONFIG_MAP, ObjectKey("n", "a"))
        with pytest.raises(TypeError, match="finalize: cleanup returned NoneType, nothing to await: declare it with"):
            await finalize(client, deleting, "example.com/x", lambda obj: None, lambda obj: None)  # type: ignore[arg-type, return-value]
        assert (await client.get(CONFIG_MAP, ObjectKey("n", "a")))["metadata"]["finalizers"] == ["example.com/x"]


@pytest.mark.parametrize("wrong", ["apply", "cleanup"])
@pytest.mark.parametrize("bind", [lambda function: function, partial])
async def test_a_plain_finalizer_function_is_found_before_anything_runs(wrong: str, bind: Any) -> None:
    """A cleanup that ran is told of too late; the first run of the object finds both."""
    ran: list[str] = []

    async def right(obj: Any) -> None:
        ran.append("right")

    def plain(obj: Any) -> None:
        ran.append("plain")

    functions = {"apply": right, "cleanup": right, wrong: bind(plain)}
    held = {**CONFIG, "metadata": {**CONFIG_METADATA, "finalizers": ["example.com/x"]}}
    async with FakeClient(held) as client:
        for _ in range(2):
            obj = await client.get(CONFIG_MAP, ObjectKey("n", "a"))
            with pytest.raises(TypeError, match=f"finalize: {wrong} .*plain is a plain function: declare it with"):
                await finalize(client, obj, "example.com/x", functions["apply"], functions["cleanup"])
            await client.delete(CONFIG_MAP, ObjectKey("n", "a"))
    assert ran == []


async def test_what_finalize_gives_back_is_what_apply_returns() -> None:
    """Its type, too: `return await finalize(...)` is checked where the reconciler says what it returns."""
    held = {**CONFIG, "metadata": {**CONFIG_METADATA, "finalizers": ["example.com/x"]}}

    async def work(obj: dict[str, Any]) -> Result:
        return Result.after(minutes=1)

    async def nothing_left(obj: dict[str, Any]) -> None:
        """Cleans up."""

    async def reconcile(client: FakeClient) -> Result | None:
        return await finalize(client, held, "example.com/x", lambda it: work(it), nothing_left)

    async with FakeClient(held) as client:
        assert await reconcile(client) == Result(requeue_after=60.0)


async def test_a_kind_that_is_not_served_asks_for_its_definition() -> None:
    """The log of a start that waits says for what, with group and version."""
    absent = GVK("nope.example.com", "v1", "Ghost")
    operator = Operator("sites")
    operator.controller(absent)(nothing)
    clock = FakeClock()
    with capture_logs() as logs:
        async with FakeClient(clock=clock) as client:
            manager = await operator.manager(client, QUIET, clock=clock)
            async with TaskScope("manager") as scope:
                scope.spawn(manager.run(), name="manager")
                await clock.advance(5)
                manager.stop()
                await clock.advance(60)
    told = next(entry for entry in logs if entry["event"].startswith("kind is not served: "))
    assert told["event"] == "kind is not served: looking again in 10 s: is its CustomResourceDefinition applied?"
    assert (told["kind"], told["version"]) == ("Ghost", "nope.example.com/v1")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"indexes": [nothing]}, r"indexes of ConfigMap: list is no dictionary: write \{name: function\}"),
        ({"indexes": {"by-secret": "secretName"}}, "indexes of ConfigMap: 'by-secret': str: write"),
        ({"indexes_of": [SECRET]}, r"indexes_of is list, not a dictionary: write \{kind: \{name: function\}\}"),
        ({"indexes_of": {SECRET: {"x": nothing}}}, "indexes_of names Secret, which is neither in owns nor in watches"),
    ],
)
def test_wrong_indexes_of_a_controller_name_the_right_ones(wrong: dict[str, Any], said: str) -> None:
    """When they are declared, not in the middle of the first list."""
    with pytest.raises(TypeError, match=said):
        Operator("sites").controller(CONFIG_MAP, **wrong)


def test_a_decorator_without_its_kind_is_refused() -> None:
    """It would declare nothing, and the operator would run and do nothing."""
    operator = Operator("sites")
    with pytest.raises(TypeError, match=r"nothing stands where the kind belongs: write @operator\.controller\(KIND\)"):
        operator.controller(nothing)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'ConfigMap' is no kind: give a Resource class, a GVK"):
        operator.controller("ConfigMap")  # type: ignore[arg-type]
