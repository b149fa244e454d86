"""Sets the program's logging up."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.stdlib import BoundLogger, ProcessorFormatter

from eso_core.log.processors import (
    TIME_ENCODINGS,
    describe_exception,
    message_key,
    plain_level,
    redact,
    render_json,
    stamp,
)
from eso_core.log.sampling import Sampler

__all__ = ["configure_logging", "get_logger", "log_context", "set_level"]

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.CRITICAL,
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}
_HANDLER = "eso_core"

# Loggers of libraries that say at INFO what is of no interest to an operator's user.
_QUIET = ("asyncio", "aiohttp.access", "hpack", "urllib3")

# The same for every configuration, so that loggers may keep it: what differs is in the handler's formatter.
_CHAIN: list[Any] = [
    structlog.stdlib.filter_by_level,
    merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    ProcessorFormatter.wrap_for_formatter,
]


def configure_logging(
    level: str = "info",
    *,
    format: Literal["auto", "json", "console"] = "auto",
    time_encoding: str | None = None,
    file: str | os.PathLike[str] | None = None,
    stream: TextIO | None = None,
    sample: bool = True,
) -> None:
    """Sets up logging for the process; a second call replaces the first.

    Args:
        level: debug, info, warn, error, dpanic, panic or fatal.
        format: ``auto`` is console in a terminal, JSON elsewhere.
        time_encoding: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano; RFC 3339 with milliseconds when not given.
        file: Append to a file instead of the stream.
        stream: Where to write; standard error by default.
        sample: Thin out a message that repeats more than 100 times in 10 s.

    Raises:
        ValueError: A value is none of those.
    """
    number = _level(level)
    if (time_encoding or "") not in TIME_ENCODINGS:
        known = ", ".join(name for name in TIME_ENCODINGS if name)
        raise ValueError(f"time encoding {time_encoding!r} does not exist: use one of {known}")
    if format not in ("auto", "json", "console"):
        raise ValueError(f"log format {format!r} does not exist: use auto, json or console")
    handler: logging.Handler
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(file, encoding="utf-8")
        console = format == "console"
    else:
        target = stream if stream is not None else sys.stderr
        handler = logging.StreamHandler(target)
        console = format == "console" or (format == "auto" and target.isatty())
    handler.set_name(_HANDLER)
    handler.setFormatter(_formatter(console, time_encoding or "", colors=console and file is None))
    if sample:
        handler.addFilter(Sampler())
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.get_name() == _HANDLER]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)
    structlog.configure(
        processors=_CHAIN,
        wrapper_class=BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> BoundLogger:
    """A logger whose methods take the message and keys: ``log.info("synced", secret="a/b")``."""
    wrapped = structlog.wrap_logger(logging.getLogger(name), processors=_CHAIN, wrapper_class=BoundLogger)
    return cast(BoundLogger, wrapped)


def set_level(level: str, logger: str = "") -> None:
    """Changes the level of a logger and those below it; of all when no name is given.

    Raises:
        ValueError: There is no such level.
    """
    logging.getLogger(logger or None).setLevel(_level(level))


def log_context(**keys: Any) -> AbstractContextManager[None]:
    """Adds keys to every line that is logged in the block and in the tasks it starts."""
    return cast("AbstractContextManager[None]", bound_contextvars(**keys))


def _level(level: str) -> int:
    number = _LEVELS.get(level.lower())
    if number is None:
        raise ValueError(f"log level {level!r} does not exist: use debug, info, warn, error, dpanic, panic or fatal")
    return number


def _formatter(console: bool, time_encoding: str, *, colors: bool) -> ProcessorFormatter:
    shared: list[Any] = [plain_level, stamp(time_encoding), describe_exception, redact]
    foreign: list[Any] = [merge_contextvars, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()]
    last: list[Any]
    if console:
        last = [
            ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="ts", pad_event_to=0),
        ]
    else:
        last = [message_key, render_json]
    return ProcessorFormatter(foreign_pre_chain=foreign, processors=[*shared, *last])
