"""What happens to a log event on its way out."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any

import orjson

__all__ = ["TIME_ENCODINGS", "describe_exception", "redact", "render_json", "stamp"]

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Event]

_LEVELS = {"warning": "warn", "critical": "fatal", "exception": "error"}
_ORDER = ("level", "ts", "logger", "msg")
_MAX_CHAIN = 10
_PLAIN = (str, int, bool, float, type(None))

# Keys whose values are credentials whatever they hold. Names of Secrets and stores are not among them.
_SECRET_KEYS = frozenset(
    {
        "accesskey",
        "accesstoken",
        "apikey",
        "authorization",
        "clientsecret",
        "credential",
        "credentials",
        "idtoken",
        "passphrase",
        "password",
        "privatekey",
        "refreshtoken",
        "secretaccesskey",
        "secretid",
        "sessiontoken",
        "stringdata",
        "token",
    }
)


def _epoch(now: datetime) -> float:
    return now.timestamp()


def _millis(now: datetime) -> float:
    return now.timestamp() * 1e3


def _nano(now: datetime) -> int:
    return int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1_000


def _iso8601(now: datetime) -> str:
    return f"{now.isoformat(timespec='milliseconds')[:-6]}Z"


def _rfc3339(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


def _rfc3339nano(now: datetime) -> str:
    fraction = f".{now.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{now:%Y-%m-%dT%H:%M:%S}{fraction}Z"


TIME_ENCODINGS: Mapping[str, Callable[[datetime], str | float | int]] = {
    "": _iso8601,  # the default: RFC 3339 with milliseconds
    "epoch": _epoch,
    "millis": _millis,
    "nano": _nano,
    "iso8601": _iso8601,
    "rfc3339": _rfc3339,
    "rfc3339nano": _rfc3339nano,
}


def stamp(encoding: str, now: Callable[[], datetime] | None = None) -> Processor:
    """Adds the time as ``ts``."""
    encode = TIME_ENCODINGS[encoding]

    def process(_: Any, __: str, event: Event) -> Event:
        event["ts"] = encode(now() if now is not None else datetime.now(UTC))
        return event

    return process


def describe_exception(_: Any, __: str, event: Event) -> Event:
    """Turns ``exc_info`` into ``error``, the chain of messages, and ``stack``, the traceback."""
    info = event.pop("exc_info", None)
    exc: BaseException | None = None
    if isinstance(info, BaseException):
        exc = info
    elif isinstance(info, tuple):
        exc = info[1]
    elif info:
        exc = sys.exc_info()[1]
    if exc is not None:
        event.setdefault("error", _chain(exc))
        event["stack"] = _stack(exc, exc.__traceback__)
    else:
        stack = event.pop("stack_info", None)
        if stack:
            event["stack"] = stack
    return event


def _chain(exc: BaseException) -> str:
    parts: list[str] = []
    current: BaseException | None = exc
    while current is not None and len(parts) < _MAX_CHAIN:
        text = str(current)
        parts.append(text if text else type(current).__name__)
        current = current.__cause__
    # A wrapper usually repeats what it wraps; say everything once.
    kept = [part for i, part in enumerate(parts) if i == 0 or part not in parts[i - 1]]
    return ": ".join(kept)


def _stack(exc: BaseException, trace: TracebackType | None) -> str:
    return "".join(traceback.format_exception(type(exc), exc, trace)).rstrip()


def redact(_: Any, __: str, event: Event) -> Event:
    """Replaces what may be a secret value by its size."""
    for key, value in event.items():
        if _is_secret_key(key):
            event[key] = _hidden(value)
        elif type(value) not in _PLAIN:
            event[key] = _clean(value)
    return event


@lru_cache(maxsize=4_096)
def _is_secret_key(key: str) -> bool:
    return key.replace("_", "").replace("-", "").lower() in _SECRET_KEYS


def _clean(value: Any, depth: int = 0) -> Any:
    match value:
        case str() | bool() | int() | float() | None:
            return value
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case BaseException():
            return _chain(value)
        case Mapping() if depth < 6:
            sealed = value.get("kind") == "Secret"
            return {
                str(k): _hidden(v) if _is_secret_key(str(k)) or (sealed and k == "data") else _clean(v, depth + 1)
                for k, v in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < 6:
            return [_clean(v, depth + 1) for v in value]
        case _:
            return str(value)


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _hidden(inner) for key, inner in value.items()}
    if value is None or value == "":
        return value
    return f"<{len(value)} bytes>" if isinstance(value, str | bytes | bytearray) else "<hidden>"


def plain_level(_: Any, name: str, event: Event) -> Event:
    """Adds the level: debug, info, warn, error or fatal."""
    event["level"] = _LEVELS.get(name, name)
    return event


def message_key(_: Any, __: str, event: Event) -> Event:
    """Calls the message ``msg``."""
    event["msg"] = event.pop("event", "")
    return event


def render_json(_: Any, __: str, event: Event) -> str:
    """One line of JSON; level, time, logger and message come first."""
    ordered = {key: event[key] for key in _ORDER if key in event}
    ordered.update(event)
    return orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
