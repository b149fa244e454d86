"""The debug server: what a running process is doing, for the person at the keyboard.

It listens on the loopback interface only and is off by default. It shows names, counts and stacks, never objects.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from typing import Protocol

import orjson
from aiohttp import web

from eso_core.cache import Cache
from eso_core.controller import Controller
from eso_core.controller.stacks import task_stack
from eso_core.log import set_level
from eso_core.manager.options import parse_address
from eso_core.manager.servers import HttpServer, WebHandler

__all__ = ["DebugState", "debug_server"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LINES = 40


class DebugState(Protocol):
    """What there is to look at."""

    cache: Cache

    def controllers(self) -> list[Controller]: ...


def debug_server(address: str, state: DebugState) -> HttpServer | None:
    """The server of `/debug/...`; None when the address says so.

    Raises:
        ValueError: the address is not on the loopback interface.
    """
    parsed = parse_address(address, option="debug_addr")
    if parsed is None:
        return None
    if parsed[0] not in _LOOPBACK:
        raise ValueError(f"debug_addr={address!r}: only the loopback interface is allowed: use 127.0.0.1:{parsed[1]}")
    pages: dict[str, Callable[[web.Request], object]] = {
        "tasks": lambda request: _tasks(),
        "queues": lambda request: _queues(state),
        "caches": lambda request: _caches(state),
        "gc": lambda request: _garbage(),
        "memory": lambda request: _memory(),
    }
    routes = {f"/debug/{name}": _page(page) for name, page in pages.items()}
    server = HttpServer("debug", parsed, routes)
    server.add_put("/debug/loglevel", _set_level)
    return server


def _page(content: Callable[[web.Request], object]) -> WebHandler:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(
            body=orjson.dumps(content(request), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
            content_type="application/json",
        )

    return handle


def _tasks() -> list[dict[str, object]]:
    tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
    return [{"name": task.get_name(), "stack": task_stack(task).splitlines()} for task in tasks]


def _queues(state: DebugState) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for controller in state.controllers():
        statistics = controller.queue.statistics()
        found.append(
            {
                "controller": controller.name,
                "ready": statistics.ready,
                "waiting": statistics.waiting,
                "running": [
                    {"key": str(key), "seconds": round(seconds, 3)} for key, seconds in controller.queue.running()
                ],
            }
        )
    return found


def _caches(state: DebugState) -> list[dict[str, object]]:
    return [
        {
            "informer": informer.spec.name,
            "objects": len(informer),
            "synced": informer.synced,
            "healthy": informer.healthy,
            "silent_seconds": round(informer.progress_age, 1),
            "failures": informer.last_failures,
            "degraded": informer.degraded,
        }
        for informer in state.cache.informers()
    ]


def _garbage() -> dict[str, object]:
    return {
        "enabled": gc.isenabled(),
        "threshold": gc.get_threshold(),
        "counts": gc.get_count(),
        "frozen": gc.get_freeze_count(),
        "statistics": gc.get_stats(),
    }


def _memory() -> dict[str, object]:
    """Where memory was allocated. The first request begins the tracing, which slows the process down."""
    if not tracemalloc.is_tracing():
        tracemalloc.start()
        return {"tracing": "started: ask again later"}
    top = tracemalloc.take_snapshot().statistics("lineno")[:_LINES]
    return {
        "traced_bytes": tracemalloc.get_traced_memory()[0],
        "top": [{"where": str(entry.traceback), "bytes": entry.size, "count": entry.count} for entry in top],
    }


async def _set_level(request: web.Request) -> web.StreamResponse:
    try:
        set_level(request.query.get("level", ""), request.query.get("logger", ""))
    except ValueError as error:
        return web.Response(status=400, text=f"{error}\n")
    return web.Response(text="ok\n")
