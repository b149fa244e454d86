"""What a process of the library costs: import, memory of each object, stalls of a resync, idling, fail-over.

Run as a script: `python tests/benchmarks/process.py [name ...]`; prints as `runtime.py` does. Servers run in processes of their own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import structlog
from runtime import Feed, make_controller, noop, report, rss, secret, synced

from eso_core.aio import SystemClock, TaskScope
from eso_core.cache import Cache, InformerSpec
from eso_core.client import ClientConfig, load_config
from eso_core.controller import KindSource, enqueue_object
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions
from eso_core.meta import GVK, Partial
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.testing.fakeclient import declare

_NAMES = "Client, Manager, ManagerOptions, Operator, Result, TerminalError, load_config, Resource"
_CRASH_BUDGET = 15 + 4.4 + 0.2


async def imports() -> None:
    """The names of the front door, in a fresh interpreter, compiled before."""
    code = f"""
import time
def rss():
    return int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20
before, started = rss(), time.process_time()
from eso_core import {_NAMES}
print(time.process_time() - started, rss() - before)
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    run = [sys.executable, "-c", code]
    answers = [subprocess.run(run, env=environment, capture_output=True, check=True, text=True) for _ in range(4)]
    figures = [[float(word) for word in answer.stdout.split()] for answer in answers[1:]]
    report("import of eso_core", min(figure[0] for figure in figures), "s", 0.35)
    report("import of eso_core: memory", min(figure[1] for figure in figures), "MiB", 45)


async def object_memory() -> None:
    """Memory of each cached object beyond the process's; what was freed before would be used again, so one kind a process."""
    await _object_memory("full bodies", InformerSpec(SECRET, label_selector="!none", values=True), 2.0)


async def metadata_memory() -> None:
    """The same of Secrets as metadata."""
    await _object_memory("metadata", InformerSpec(Partial(SECRET)), 1.6)


async def _object_memory(name: str, spec: InformerSpec, budget: float) -> None:
    count = 20_000
    gc.collect()
    before = rss()
    async with synced(secret, count, spec):
        gc.collect()
        report(f"memory of a synced object, {name}", (rss() - before) * 1024 / count, "KiB", budget)


async def resync_stall() -> None:
    """The longest time that the loop stands still while 10,000 objects are shown again, over a minute, to ten controllers."""
    count, controllers, period = 10_000, 10, 2.0
    feed = Feed(secret, count)
    clock = SystemClock()
    cache = Cache(lambda spec, namespace: feed, clock)
    spec = InformerSpec(SECRET, label_selector="!none", values=True, resync=period)
    sources = []
    for _ in range(controllers):
        controller, _finished = make_controller(cache, noop, max_concurrent=1)
        sources.append((KindSource(cache, spec, enqueue_object, [], primary=True), controller))
    async with TaskScope("bench") as scope:
        cache.start(scope)
        for source, controller in sources:
            source.start(controller, scope)
        await cache.wait_for_sync(60)
        for source, controller in sources:
            await source.wait_synced()
            while (taken := controller.queue.get_nowait()) is not None:
                controller.queue.done(taken.key)
        gc.collect()
        gc.freeze()  # as the manager does once its caches are filled
        # CPU time between two turns of the loop: what the machine does meanwhile is not ours.
        longest, last = 0.0, time.thread_time()
        end = time.monotonic() + period + 90
        while time.monotonic() < end:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
            if all(controller.queue.statistics().ready >= count for _, controller in sources):
                break
        else:
            raise AssertionError("the resync did not reach every controller")
        report("stall of the loop, resync of 10k x 10", longest * 1000, "ms", 20)
        await scope.cancel()


async def idle() -> None:
    """CPU of 20 informers with nothing to do."""
    kinds = [GVK("bench.example.com", "v1", f"Kind{number:02}") for number in range(20)]
    async with api_server() as config:
        manager = Manager(config, options=ManagerOptions(metrics_addr="0", health_addr="0"))
        for kind in kinds:
            await manager.api.create(declare(kind, f"{kind.kind.lower()}s"))
            manager.cache.register(InformerSpec(kind))
        async with TaskScope("bench") as scope:
            scope.spawn(manager.run(), name="manager")
            await manager.cache.wait_for_sync(60)
            await asyncio.sleep(1)
            cpu, wall = time.process_time(), time.monotonic()
            await asyncio.sleep(20)
            share = (time.process_time() - cpu) / (time.monotonic() - wall)
            report("idle CPU with 20 informers", share * 100, "%", 0.5)
            await scope.cancel()
        await manager.api.aclose()


async def failover() -> None:
    """From the signal to a leader to the first reconcile of its heir, after a release and after a kill."""
    for number, name, budget in ((signal.SIGTERM, "a release", 1.0), (signal.SIGKILL, "a crash", _CRASH_BUDGET)):
        async with api_server() as config, heir(config) as (reconciled, manager):
            leader = await _leader(os.environ["KUBECONFIG"])
            first = asyncio.ensure_future(reconciled.wait())
            await manager.cache.wait_for_sync(30)
            await asyncio.sleep(3)
            assert not first.done(), "the follower reconciled"
            leader.send_signal(number)
            gone = time.monotonic()
            await asyncio.wait_for(first, 60)
            report(f"first reconcile of the new leader after {name}", time.monotonic() - gone, "s", budget)
            await asyncio.to_thread(leader.wait)


@asynccontextmanager
async def heir(config: ClientConfig) -> AsyncIterator[tuple[asyncio.Event, Manager]]:
    """A second replica in this process, which starts once the first leads."""
    reconciled = asyncio.Event()

    async def reconcile(ctx: Any, request: Any) -> None:
        reconciled.set()

    manager = _replica(config, reconcile)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "default"}}
    await manager.api.create(body)
    async with TaskScope("heir") as scope:

        async def follow() -> None:
            lease = GVK("coordination.k8s.io", "v1", "Lease")
            while not (await manager.api.list(lease, "default")).items:  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
            await manager.run()

        scope.spawn(follow(), name="heir")
        yield reconciled, manager
        await scope.cancel()
    await manager.api.aclose()


async def _leader(kubeconfig: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--lead", kubeconfig])


def _replica(config: ClientConfig, reconcile: Any) -> Manager:
    election = LeaderElectionOptions("bench", namespace="default")
    manager = Manager(config, options=ManagerOptions(metrics_addr="0", health_addr="0", leader_election=election))
    manager.controller(reconcile, name="bench").for_(CONFIG_MAP)
    return manager


async def lead(kubeconfig: str) -> None:
    """The first replica, in a process of its own."""
    manager = _replica(await load_config(kubeconfig), noop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, manager.stop)
    await manager.run()
    await manager.api.aclose()


@asynccontextmanager
async def api_server() -> AsyncIterator[ClientConfig]:
    """An API server in a process of its own; `KUBECONFIG` of this process names it."""
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder, "kubeconfig")
        command = [sys.executable, "-m", "eso_core.testing.apiserver", "--kubeconfig", str(kubeconfig)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.environ["KUBECONFIG"] = str(kubeconfig)
        try:
            while not kubeconfig.exists():  # noqa: ASYNC240 - a look, while nothing else runs
                assert server.poll() is None, "the API server ended"
                await asyncio.sleep(0.05)
            yield await load_config(str(kubeconfig))
        finally:
            server.terminate()
            server.wait()


BENCHMARKS: dict[str, Callable[[], Awaitable[None]]] = {
    function.__name__: function for function in (imports, object_memory, metadata_memory, resync_stall, idle, failover)
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--lead"]:
        asyncio.run(lead(sys.argv[2]))
    elif sys.argv[2:] or not sys.argv[1:]:
        for wanted in sys.argv[1:] or BENCHMARKS:
            subprocess.run([sys.executable, __file__, wanted], check=True)
    else:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
        asyncio.run(cast(Any, BENCHMARKS[sys.argv[1]]()))
