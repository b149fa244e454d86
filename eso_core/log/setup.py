"""Sets the program's logging up."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars
from structlog.stdlib import BoundLogger

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

__all__ = ["configure_logging", "get_logger", "keep_locals_out", "log_context", "set_level"]

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

_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

# Loggers of libraries that say at INFO what is of no interest to an operator's user.
_QUIET = ("asyncio", "aiohttp.access", "hpack", "urllib3")


def _hand_over(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> tuple[tuple[MutableMapping[str, Any]], dict[str, Any]]:
    """Gives the event to the standard logger as the message of its record."""
    return (event,), {}


class Logger(BoundLogger):
    """structlog's logger with a shortcut: what the level leaves out costs one look at the level."""

    def debug(self, event: str | None = None, *args: Any, **kw: Any) -> Any:
        if self._logger.isEnabledFor(logging.DEBUG):
            return super().debug(event, *args, **kw)
        return None

    def info(self, event: str | None = None, *args: Any, **kw: Any) -> Any:
        if self._logger.isEnabledFor(logging.INFO):
            return super().info(event, *args, **kw)
        return None


# The same for every configuration, so that loggers may keep it: what differs is in the handler's formatter.
_CHAIN: list[Any] = [
    structlog.stdlib.filter_by_level,
    merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _hand_over,
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
        wrapper_class=Logger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> BoundLogger:
    """A logger whose methods take the message and keys: ``log.info("synced", secret="a/b")``."""
    wrapped = structlog.wrap_logger(logging.getLogger(name), processors=_CHAIN, wrapper_class=Logger)
    # Bound at once: the proxy that wrap_logger gives would make a new logger for each line.
    return cast(BoundLogger, wrapped.bind())


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


class EventFormatter(logging.Formatter):
    """Formats events of structlog and records of plain loggers through one chain.

    structlog's own formatter does the same by way of a copy of each record, which costs a third of the line.
    """

    def __init__(self, processors: Sequence[Any]) -> None:
        super().__init__()
        self._processors = tuple(processors)

    def format(self, record: logging.LogRecord) -> str:
        event: Any
        if isinstance(record.msg, dict):
            # Other handlers see the same record.
            event = dict(record.msg)
        else:
            event = {"event": record.getMessage(), **get_contextvars(), **_extras(record), "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            if record.stack_info:
                event["stack_info"] = record.stack_info
        method = record.levelname.lower()
        for process in self._processors:
            event = process(None, method, event)
        return str(event)


def _formatter(console: bool, time_encoding: str, *, colors: bool) -> EventFormatter:
    last: list[Any]
    if console:
        last = [structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="ts", pad_event_to=0)]
    else:
        last = [message_key, render_json]
    return EventFormatter([plain_level, stamp(time_encoding), describe_exception, redact, *last])


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    """What was passed as ``extra`` to a plain logger."""
    return {key: value for key, value in record.__dict__.items() if key not in _RECORD_FIELDS}


def keep_locals_out() -> None:
    """Plain tracebacks where nobody has configured structlog.

    Its default prints local variables when rich is installed, and those of a failing reconcile hold objects, Secrets among them. A
    program's own configuration stays as it is.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
