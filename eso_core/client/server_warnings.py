"""``Warning`` headers: what the server wants a person to know."""

from __future__ import annotations

import logging
import re
from typing import Protocol

__all__ = ["WarningHandler", "WarningLog", "parse_warning"]

_log = logging.getLogger("eso_core.client.warnings")
_SYNTAX = re.compile(r'299 (?:-|[^\s"]+) "((?:[^"\\]|\\.)*)"')
_REMEMBERED = 1_000


class WarningHandler(Protocol):
    """Takes each warning with the kind that the request was about."""

    def __call__(self, text: str, kind: str) -> None: ...


class WarningLog:
    """Logs each text once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, text: str, kind: str) -> None:
        if text in self._seen or len(self._seen) >= _REMEMBERED:
            return
        self._seen.add(text)
        _log.warning("the API server warns about %s: %s", kind or "a request", text)


def parse_warning(header: str) -> str | None:
    """The text of ``299 - "text"``; ``None`` for anything else."""
    match = _SYNTAX.match(header.strip())
    return re.sub(r"\\(.)", r"\1", match.group(1)) if match is not None else None
