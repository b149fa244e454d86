"""The directory of `eso dev`: private, locked against a second instance, written atomically."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from types import TracebackType

__all__ = ["DevState", "DevStateError"]


class DevStateError(Exception):
    """The directory cannot be used; the message says why and what to do."""


class DevState:
    """A state directory (mode 0700) held by this process.

    Files in it have mode 0600. `.gitignore` inside keeps it out of commits wherever it was put. The lock is an advisory one on
    the file `lock`, so it ends with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def state_file(self) -> Path:
        return self.path / "state"

    @property
    def log_file(self) -> Path:
        return self.path / "eso.log"

    def __enter__(self) -> DevState:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chmod(self.path, 0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DevStateError(
                f"cannot use {self.path} as state directory: {error.strerror}: give another one with --dir"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, 32, 0).decode(errors="replace").strip()
            os.close(self._lock)
            self._lock = None
            by = f" (process {holder})" if holder.isdigit() else ""
            raise DevStateError(
                f"{self.path} is in use by another eso dev{by}: stop that one or give another --dir"
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        self.write(self.path / ".gitignore", b"*\n")
        os.close(os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # A kubeconfig of an earlier run points at a port where nobody listens; its absence means "not serving yet".
        self.kubeconfig.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, path: Path, content: bytes) -> None:
        """Replace `path` in one step, mode 0600: a reader sees the old content or the new one, never half of it."""
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
