"""One child process of the environment.

A child that outlives its test would hold its ports and memory for good, so three things end it: `stop`, a failing start,
and the exit of the interpreter.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import socket
import ssl
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eso_core.aio import Clock
from eso_core.testing.envtest.binaries import EnvTestError

_POLL: Final = 0.05  # seconds between two looks at a starting server
_PATIENCE: Final = 1.0  # seconds that one readiness request may take
_SHOWN: Final = 2_000  # characters of a process's output in messages

_alive: weakref.WeakSet[Child] = weakref.WeakSet()


class Child:
    """A process and its output, which goes to a file, or to ours."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Path | None, clock: Clock) -> None:
        self.name = name
        self._process = process
        self._output = output
        self._clock = clock
        _alive.add(self)

    @classmethod
    async def start(cls, name: str, command: Sequence[str], folder: Path, clock: Clock, *, attach: bool) -> Child:
        """Start a process in a session of its own, so that Ctrl-C reaches the tests alone."""
        output = None if attach else folder / f"{name}.log"
        sink = None if output is None else os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        except OSError as error:
            raise EnvTestError(f"starting {name}: {error}: check that {command[0]} runs on this machine") from error
        finally:
            if sink is not None:
                os.close(sink)
        return cls(name, process, output, clock)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_ready(self, port: int, path: str, tls: ssl.SSLContext | None, timeout: float) -> None:
        """Wait until the process answers ``path`` with 200.

        Raises:
            EnvTestError: It ended, or did not answer in time; with the end of its output.
        """
        end = self._clock.monotonic() + timeout
        problem = "it did not answer"
        while True:
            if self._process.returncode is not None:
                raise EnvTestError(
                    f"starting {self.name}: it ended with status {self._process.returncode}{self._log()}"
                )
            try:
                async with asyncio.timeout(_PATIENCE):
                    status = await _status(port, path, tls)
                if status == 200:
                    return
                problem = f"{path} answered {status}"
            except ssl.SSLError as error:
                problem = f"{path}: {error}"
            except (OSError, TimeoutError):
                problem = "it did not answer"
            if self._clock.monotonic() >= end:
                limit = f"set KUBEBUILDER_CONTROLPLANE_START_TIMEOUT if {timeout:g} s are too short for this machine"
                raise EnvTestError(f"starting {self.name}: {problem}: {limit}{self._log()}")
            await self._clock.sleep(_POLL)

    async def stop(self, timeout: float) -> None:
        """SIGTERM, and after ``timeout`` seconds SIGKILL."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                async with self._clock.timeout(timeout):
                    await self._process.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)
        await self._process.wait()
        _alive.discard(self)

    def kill(self) -> None:
        """End the process at once, from anywhere."""
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        # The group, for what the process started itself.
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return  # it ended in this moment

    def _log(self) -> str:
        if self._output is None or not self._output.exists():
            return ""
        text = self._output.read_text(encoding="utf-8", errors="replace").strip()
        return f"; its output ends with:\n{text[-_SHOWN:]}" if text else "; it printed nothing"


@atexit.register
def _kill_all() -> None:
    for child in list(_alive):
        child.kill()


async def _status(port: int, path: str, tls: ssl.SSLContext | None) -> int:
    """The status of a GET on loopback; 0 when the answer is no HTTP."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname=None if tls is None else "localhost"
    )
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        await reader.read()
    finally:
        writer.close()
    parts = line.split()
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now; they differ from each other."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
