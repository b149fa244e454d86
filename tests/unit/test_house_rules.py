"""Rules that no test of one module can see: what the source may and may not contain."""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from eso_core.controller import Result
from eso_core.queue import ItemExponential, WorkQueue
from eso_core.testing.clock import FakeClock

ROOT = Path(__file__).parents[2]
PACKAGES = ("eso_core", "providers", "generators", "controllers")
#: Where code of users, or of anybody, is kept from ending what runs it. Each of them counts, logs, or tells somebody.
SUPERVISED = {
    "eso_core/aio/scope.py": "a failing on_error callback",
    "eso_core/cache/codec.py": "transforms",
    "eso_core/cache/driver.py": "lists and watches",
    "eso_core/cache/informer.py": "reflectors",
    "eso_core/cache/registration.py": "event handlers",
    "eso_core/cache/store.py": "index functions",
    "eso_core/client/finalizing.py": "finalizers: all run, the errors are raised together",
    "eso_core/controller/controller.py": "reconciles, and log processors",
    "eso_core/controller/handlers.py": "map functions",
    "eso_core/controller/sources.py": "predicates",
    "eso_core/events/core.py": "events that cannot be recorded",
    "eso_core/events/eventsv1.py": "events that cannot be recorded",
    "eso_core/events/sink.py": "events that cannot be written",
    "eso_core/manager/health.py": "health checks",
    "eso_core/manager/manager.py": "runnables and callbacks",
    "eso_core/manager/servers.py": "HTTP handlers",
    "eso_core/webhook/server.py": "webhook handlers",
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if "/testing/" not in name:
                yield name, ast.parse(path.read_text())


def test_tasks_are_made_by_scopes_only() -> None:
    """G-04: so each has somebody who awaits it, and none ends with an exception that nobody sees."""
    makers = {"create_task", "ensure_future"}
    found = [
        f"{name}:{node.lineno}"
        for name, tree in sources()
        if not name.startswith("eso_core/aio/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and (getattr(node, "attr", "") or getattr(node, "id", "")) in makers
    ]
    assert found == []


def _handlers(name: str) -> Iterator[tuple[str, ast.ExceptHandler]]:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(ast.unparse(kind).rpartition(".")[2] == name for kind in caught):
                    yield path, node


def test_everything_is_caught_only_where_something_is_supervised() -> None:
    """G-05: and what was caught goes on: into a log, a count, another error, or a report."""
    places = {path for path, _ in _handlers("Exception") if path.startswith("eso_core/")}
    assert places == set(SUPERVISED)
    for path, handler in _handlers("Exception"):
        text = ast.unparse(ast.Module(handler.body, []))
        used = handler.name is not None and re.search(rf"\b{handler.name}\b", text) is not None
        assert used or "raise" in text or "log.exception" in text, f"{path}:{handler.lineno} forgets what it caught"


def test_cancellation_is_never_swallowed() -> None:
    """G-05: who catches it raises it again, unless the task itself asked for it and takes it back, or a thread ends."""
    takes_back = {
        "eso_core/aio/clock.py", "eso_core/aio/scope.py", "eso_core/aio/singleflight.py", "eso_core/cache/driver.py",
        "eso_core/controller/controller.py", "eso_core/manager/manager.py", "eso_core/manager/electionthread.py",
        "controllers/templating/gotemplate/stacks.py",
    }  # fmt: skip
    for kind in ("CancelledError", "BaseException"):
        for path, handler in _handlers(kind):
            text = ast.unparse(ast.Module(handler.body, []))
            assert "raise" in text or path in takes_back, f"{path}:{handler.lineno} swallows {kind}"


def test_durations_are_seconds_inside_and_timedeltas_are_taken_at_the_edge() -> None:
    """G-03."""
    assert Result.after(timedelta(minutes=2)).requeue_after == 120.0
    assert Result.after(1.5, minutes=1).requeue_after == 61.5


def test_the_queue_backs_off_by_key_alone_unless_told_otherwise() -> None:
    """Q-10: 5 ms doubled up to 1000 s; no bucket that all keys share."""
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    assert isinstance(queue.limiter, ItemExponential)
    delays = [queue.limiter.when("a") for _ in range(20)]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[17] == 655.36
    assert delays[18:] == [1000.0, 1000.0]
    for number in range(1_000):
        assert queue.limiter.when(f"other {number}") == 0.005


def test_the_collector_is_kept_from_what_the_caches_hold() -> None:
    """G-12: the manager's option is on unless it is switched off."""
    from eso_core.manager import Manager, ManagerOptions

    assert ManagerOptions().freeze_gc
    before, thresholds = gc.get_freeze_count(), gc.get_threshold()

    class Holder:
        options = ManagerOptions()

    try:
        with Manager._frozen_gc(Holder()):  # type: ignore[arg-type]  # only the options are looked at
            assert not gc.isenabled()
            kept = [[[]] for _ in range(10_000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() - before > 10_000
        del kept
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


IDS = (Path(__file__).with_name("rules.txt")).read_text().split()


def test_every_rule_of_the_runtime_is_named_by_a_test() -> None:
    """What is listed in rules.txt is proven somewhere; `grep -rn "R-31" tests` says where."""
    named: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text()
        named |= set(re.findall(r"\b[A-Z]-\d\d\b", text))
        for letter, first, last in re.findall(r"\b([A-Z])-(\d\d)\.\.[A-Z]-(\d\d)", text):
            named |= {f"{letter}-{number:02}" for number in range(int(first), int(last) + 1)}
    assert len(IDS) > 250
    assert [rule for rule in IDS if rule not in named] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_called_by_nothing_in_particular(package: str) -> None:
    """House style: a name says what is inside."""
    vague = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py", "base.py"}
    assert [path for path in (ROOT / package).rglob("*.py") if path.name in vague] == []
