"""Every test that runs on an event loop is checked for what it leaves behind: tasks, threads, sockets, files."""

from __future__ import annotations

from eso_core.testing.leaks import leak_check

__all__ = ["leak_check"]
