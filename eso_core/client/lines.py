"""Lines out of chunks, however long they are."""

from __future__ import annotations

from eso_core.meta.errors import DecodeError

__all__ = ["MAX_LINE", "LineSplitter"]

MAX_LINE = 16 * 1024 * 1024
"""Longest accepted line in bytes: ten times the largest object that the server's store takes."""


class LineSplitter:
    """Joins chunks into lines in linear time. What follows the last newline waits for the next chunk."""

    __slots__ = ("_limit", "_parts", "_size")

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that the chunk completes, without their newlines; empty lines are left out.

        Raises:
            DecodeError: A line passes the limit.
        """
        cut = chunk.rfind(b"\n")
        if cut < 0:
            self._hold(chunk)
            return []
        self._parts.append(chunk[:cut])
        whole = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if cut + 1 < len(chunk):
            self._hold(chunk[cut + 1 :])
        lines = [line for line in whole.split(b"\n") if line]
        if len(whole) > self._limit and any(len(line) > self._limit for line in lines):
            self._too_long()
        return lines

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            self._too_long()
        self._parts.append(part)

    def _too_long(self) -> None:
        raise DecodeError(
            f"reading a stream: a line is longer than {self._limit} bytes: the server does not send lines"
        )

    @property
    def pending(self) -> int:
        """Bytes of the incomplete last line."""
        return self._size
