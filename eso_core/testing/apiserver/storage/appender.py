"""Appends to files without ever blocking the event loop: one thread does the writing, in order."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

_LOG: Final = logging.getLogger(__name__)
_BATCH: Final = 4096


def open_private(path: Path, *, truncate: bool) -> BinaryIO:
    """A file for appending (or a new one), readable by its owner only."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if truncate else os.O_APPEND)
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)


class Appender:
    """A file that lines are added to.

    Nothing that was handed over before `aclose` is lost, short of the death of the process; then the last
    milliseconds may be. A failing disk is logged once and further lines are dropped.
    """

    def __init__(self, path: Path, *, truncate: bool = False) -> None:
        self.path = path
        self.written = 0
        self._file = open_private(path, truncate=truncate)
        self._queue: queue.SimpleQueue[bytes | Callable[[], None] | None] = queue.SimpleQueue()
        self._failed = False
        self._done: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._work, name=f"append {path.name}", daemon=True)
        self._thread.start()

    def append(self, data: bytes) -> None:
        """Add whole lines."""
        self.written += len(data)
        self._queue.put(data)

    def replace(self, parts: list[bytes]) -> None:
        """Replace the file's content atomically; what is appended later comes after it."""
        self.written = sum(map(len, parts))
        self._queue.put(lambda: self._replace(parts))

    async def aclose(self) -> None:
        """Wait until everything handed over is in the file, and end the thread."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._done = lambda: loop.call_soon_threadsafe(done.set)
        self._queue.put(None)
        await done.wait()
        self._thread.join()

    # -- in the thread

    def _work(self) -> None:
        stop = False
        while not stop:
            batch: list[bytes] = []
            item = self._queue.get()
            while True:
                if isinstance(item, bytes):
                    batch.append(item)
                elif item is None:
                    stop = True
                else:
                    self._write(batch)
                    batch = []
                    self._guard(item)
                if stop or len(batch) >= _BATCH:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            self._write(batch)
        self._file.close()
        self._done()

    def _write(self, batch: list[bytes]) -> None:
        if batch:
            self._guard(lambda: self._write_all(b"".join(batch)))

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]

    def _guard(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except OSError as error:
            self._failed = True
            _LOG.error("writing %s: %s: nothing more is kept; free the disk and restart", self.path, error)

    def _replace(self, parts: list[bytes]) -> None:
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        with open_private(temporary, truncate=True) as file:
            old, self._file = self._file, file
            try:
                for start in range(0, len(parts), _BATCH):
                    self._write_all(b"".join(parts[start : start + _BATCH]))
                os.fsync(file.fileno())
            finally:
                self._file = old
        os.replace(temporary, self.path)
        self._file.close()
        self._file = open_private(self.path, truncate=False)
