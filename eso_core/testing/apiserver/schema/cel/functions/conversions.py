"""Conversions between types, and the parts of timestamps and durations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.types import Type
from eso_core.testing.apiserver.schema.cel.values import (
    INT_MAX,
    INT_MIN,
    NANOS,
    UINT_MAX,
    Duration,
    Timestamp,
    TypeValue,
    UInt,
    runtime_type,
)
from eso_core.testing.apiserver.schema.gotext import number

LIBRARY: Final = Library()
declare = LIBRARY.declare


def _refuse(source: str, target: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{source}' to '{target}'")


@declare("dyn(A) -> dyn", "int(int) -> int", "uint(uint) -> uint", "double(double) -> double", "bool(bool) -> bool")
@declare("string(string) -> string", "bytes(bytes) -> bytes", "timestamp(timestamp) -> timestamp")
@declare("duration(duration) -> duration")
def _same(value: Any) -> Any:
    return value


@declare("int(uint) -> int", "int(double) -> int")
def _to_int(value: int | float) -> int:
    if isinstance(value, float):
        if math.isnan(value) or not -9223372036854775808.0 < value < 9223372036854775808.0:
            raise EvaluationError("integer overflow")
        return int(value)
    if value > INT_MAX:
        raise EvaluationError("integer overflow")
    return int(value)


@declare("int(string) -> int")
def _parse_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not INT_MIN <= int(text) <= INT_MAX:
        raise _refuse("string", "int")
    return int(text)


@declare("int(timestamp) -> int", "int(duration) -> int")
def _to_seconds(value: Timestamp | Duration) -> int:
    return value.nanos // NANOS if isinstance(value, Timestamp) else value.nanos


@declare("uint(int) -> uint", "uint(double) -> uint")
def _to_uint(value: int | float) -> UInt:
    if isinstance(value, float) and (math.isnan(value) or value < 0 or value >= 18446744073709551616.0):
        raise EvaluationError("unsigned integer overflow")
    if not 0 <= value <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return UInt(int(value))


@declare("uint(string) -> uint")
def _parse_uint(text: str) -> UInt:
    if not re.fullmatch(r"\d+", text, re.ASCII) or int(text) > UINT_MAX:
        raise _refuse("string", "uint")
    return UInt(int(text))


@declare("double(int) -> double", "double(uint) -> double")
def _to_double(value: int) -> float:
    return float(value)


@declare("double(string) -> double")
def _parse_double(text: str) -> float:
    if text.strip() != text or "_" in text:
        raise _refuse("string", "double")
    try:
        return float(text)
    except ValueError as error:
        raise _refuse("string", "double") from error


@declare("bool(string) -> bool")
def _parse_bool(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise _refuse("string", "bool")


@declare(
    "string(bool) -> string",
    "string(int) -> string",
    "string(uint) -> string",
    "string(double) -> string",
    "string(bytes) -> string",
    "string(timestamp) -> string",
    "string(duration) -> string",
)
def to_text(value: Any) -> str:
    """A value as text."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return number(value)
        case int():
            return str(int(value))
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from error
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return f"{duration_seconds_text(value)}s"
    return str(value)


@declare("bytes(string) -> bytes")
def _to_bytes(text: str) -> bytes:
    return text.encode()


@declare("type(A) -> type(A)")
def _type(value: Any) -> TypeValue:
    return TypeValue(Type(runtime_type(value).name))


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339 with the offset it was written with, and as many digits of the second as it needs."""
    local = value.to_datetime() + timedelta(seconds=value.offset)
    text = local.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = value.nanos % NANOS
    hours, minutes = divmod(abs(value.offset) // 60, 60)
    zone = f"{'-' if value.offset < 0 else '+'}{hours:02d}:{minutes:02d}" if value.offset else "Z"
    return text + (f".{fraction:09d}".rstrip("0") if fraction else "") + zone


def duration_seconds_text(value: Duration) -> str:
    """Seconds in decimal."""
    seconds, rest = divmod(abs(value.nanos), NANOS)
    text = str(seconds) + (f".{rest:09d}".rstrip("0") if rest else "")
    return f"-{text}" if value.nanos < 0 else text


_TIMESTAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d\d:\d\d)", re.ASCII)


@declare("timestamp(string) -> timestamp")
def parse_timestamp(text: str) -> Timestamp:
    """A timestamp from RFC 3339 text.

    Raises:
        EvaluationError: the text is none.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise _refuse("string", "google.protobuf.Timestamp")
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError as error:
        raise _refuse("string", "google.protobuf.Timestamp") from error
    offset = moment.utcoffset() or timedelta()
    return Timestamp(Timestamp.of(moment).nanos + int((fraction or "0").ljust(9, "0")), int(offset.total_seconds()))


@declare("timestamp(int) -> timestamp")
def _timestamp_of_seconds(seconds: int) -> Timestamp:
    return Timestamp(seconds * NANOS)


_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NANOS,
    "m": 60 * NANOS,
    "h": 3600 * NANOS,
}
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


@declare("duration(string) -> duration")
def parse_duration(text: str) -> Duration:
    """A duration from text such as ``1h30m``.

    Raises:
        EvaluationError: the text is none.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return Duration(0)
    total, position = 0, 0
    for match in _PART.finditer(body):
        if match.start() != position:
            break
        position = match.end()
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        total += int(whole or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
    if not body or position != len(body):
        raise _refuse("string", "google.protobuf.Duration")
    return Duration(-total if text.startswith("-") else total)


def _zone(name: str) -> tzinfo:
    match = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name, re.ASCII)
    if match is not None:
        minutes = int(match[2]) * 60 + int(match[3])
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    if name in ("", "UTC"):
        return timezone.utc  # noqa: UP017 - one of several time zones here
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise EvaluationError(f"unknown time zone {name}") from error


_PARTS: Final[dict[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}


def _declare_part(name: str, part: Callable[[datetime], int]) -> None:
    @declare(f"timestamp :: {name}() -> int", f"timestamp :: {name}(string) -> int")
    def get(value: Timestamp, zone: str = "UTC") -> int:
        return part(value.to_datetime().astimezone(_zone(zone)))


for _name, _part in _PARTS.items():
    _declare_part(_name, _part)


def _declare_duration_part(name: str, unit: int) -> None:
    @declare(f"duration :: {name}() -> int")
    def get(value: Duration) -> int:
        count = abs(value.nanos) // unit
        return -count if value.nanos < 0 else count


for _name, _unit in (("getHours", 3600 * NANOS), ("getMinutes", 60 * NANOS), ("getSeconds", NANOS)):
    _declare_duration_part(_name, _unit)


@declare("duration :: getMilliseconds() -> int")
def _milliseconds(value: Duration) -> int:
    count = abs(value.nanos) // 1_000_000
    return -count if value.nanos < 0 else count
