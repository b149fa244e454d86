"""Overdue objects are found, counted and looked at again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from controllers.externalsecret.watchdog import Watchdog
from eso_core.meta import ObjectMeta, format_time
from eso_core.meta.keys import ObjectKey
from eso_core.testing.clock import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class _Entry:
    def __init__(self, name: str, obj: dict[str, Any]) -> None:
        self.key = ObjectKey("ns", name)
        self.meta = ObjectMeta.of(obj)
        self._obj = obj

    def decode(self) -> dict[str, Any]:
        return self._obj


class _Cache:
    def __init__(self, entries: list[_Entry]) -> None:
        self.entries = entries

    def informer(self, kind: Any) -> _Cache:
        return self

    def select(self) -> list[_Entry]:
        return self.entries


class _Queue:
    def __init__(self) -> None:
        self.added: list[str] = []

    def add(self, request: Any, **_: Any) -> None:
        self.added.append(request.name)


def _object(name: str, *, age: float, ready: str = "True", **spec: Any) -> _Entry:
    return _Entry(
        name,
        {
            "metadata": {"name": name, "namespace": "ns", "uid": name, "generation": 1},
            "spec": {"refreshInterval": "10m", **spec},
            "status": {
                "refreshTime": format_time(START - timedelta(seconds=age)),
                "conditions": [{"type": "Ready", "status": ready}],
            },
        },
    )


async def test_only_what_should_have_been_refreshed_long_ago_is_overdue() -> None:
    """A minute and a tenth of the interval late: a failing object, one that is never refreshed, and a bad one do not count."""
    entries = [
        _object("fresh", age=100),
        _object("due", age=640),
        _object("late", age=900),
        _object("failing", age=9000, ready="False"),
        _object("never", age=9000, refreshInterval="0"),
        _object("once", age=9000, refreshPolicy="CreatedOnce"),
        _object("bad", age=9000, refreshInterval="1d"),
    ]
    registry, queue = CollectorRegistry(), _Queue()
    watchdog = Watchdog(_Cache(entries), FakeClock(start=START), registry)  # type: ignore[arg-type]
    watchdog.attach(queue)  # type: ignore[arg-type]
    assert registry.get_sample_value("eso_overdue_objects", {"kind": "ExternalSecret"}) == 0
    assert await watchdog.look() == ["ns/late"]
    assert queue.added == ["late"]
    assert registry.get_sample_value("eso_overdue_objects", {"kind": "ExternalSecret"}) == 1
    entries[2] = _object("late", age=0)
    assert await watchdog.look() == []
    assert registry.get_sample_value("eso_overdue_objects", {"kind": "ExternalSecret"}) == 0
