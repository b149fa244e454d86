"""The operator in the storm, a process of its own, so that its memory is measured alone.

`Stormed` is the storm's side. What it says goes over standard input, a line of JSON each: first how to reach the API
server, then the weather whenever it changes. The end of the input stops the operator, which then says how often its
backend was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from typing import Any

from controllers.operator import Operator, OperatorOptions
from eso_core.client import Client, config_from_kubeconfig
from eso_core.log import configure_logging
from tests.chaos.weather import Weather, registry_in

__all__ = ["Stormed", "stormed"]

PAGE = os.sysconf("SC_PAGE_SIZE")
_PATIENCE = 60.0  # seconds that a stop may take


class Stormed:
    """The running operator, from outside."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.reads = 0
        """How often the backend was read; known after the stop."""

    def resident(self) -> float:
        """The MiB that it holds at present."""
        with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE / 2**20

    def weather(self, *, delay: float = 0.0, failing: float = 0.0) -> None:
        """From now on, the backend is so slow (seconds at most) and fails so often (a share)."""
        self._say({"delay": delay, "failing": failing})

    def _say(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def stop(self) -> None:
        """Stops it, as a signal would, and waits until it has ended.

        Raises:
            RuntimeError: It did not end by itself and with 0.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                output, _ = await self._process.communicate(b"")
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise RuntimeError(f"the operator did not stop within {_PATIENCE:.0f} s") from None
        if self._process.returncode != 0:
            raise RuntimeError(f"the operator ended with {self._process.returncode}")
        self.reads = json.loads(output)["reads"]


@contextlib.asynccontextmanager
async def stormed(kubeconfig: dict[str, Any], *, server: str, seed: int) -> AsyncIterator[Stormed]:
    """An operator, until the block ends.

    Args:
        kubeconfig: Credentials for the API server.
        server: The URL to reach it at, instead of the kubeconfig's: that of a proxy.
        seed: What its backend's luck begins with.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.operator", stdin=PIPE, stdout=PIPE
    )
    operator = Stormed(process)
    operator._say({"kubeconfig": kubeconfig, "server": server, "seed": seed})
    try:
        yield operator
    finally:
        await operator.stop()


async def _run() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    start = json.loads(await lines.readline())
    weather = Weather(random.Random(start["seed"]))
    stop = asyncio.Event()

    async def listen() -> None:
        async for line in lines:
            now = json.loads(line)
            weather.delay, weather.failing = now["delay"], now["failing"]
        stop.set()

    config = dataclasses.replace(config_from_kubeconfig(start["kubeconfig"]), server=start["server"])
    async with Client(config, user_agent="external-secrets") as client:
        operator = Operator(client, OperatorOptions(), providers=registry_in(weather))
        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            await operator.run(stop)
    sys.stdout.write(json.dumps({"reads": weather.reads}))


if __name__ == "__main__":
    configure_logging(level="error", format="json")
    asyncio.run(_run())
