"""`rewrite.merge`: several JSON documents become one.

Integers keep the digits they were written with (the original sent them through a 64-bit float, which damaged long ids).
Numbers with an exponent or fraction are written as the double they stand for, as the original does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from controllers.externalsecret.errors import KeysRefused
from providers.gojson import Number, encode, well_formed

__all__ = ["MergeRule", "merge_values", "value_text"]


class MergeRule(Struct, frozen=True):
    """Options of one merge; the names and values are those of the API."""

    into: str = ""
    priority: tuple[str, ...] = ()
    priority_policy: str = "Strict"
    conflict_policy: str = "Error"
    strategy: str = "Extract"


class _Number(str):
    """A JSON number by its own spelling."""

    __slots__ = ()


def merge_values(rule: MergeRule, values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Merge the documents in `values`: by key in byte order, then the priority keys as listed; the later wins.

    Raises:
        KeysRefused: a priority key is missing, a value is no JSON object, members conflict, or `into` is missing.
    """
    try:
        return _merged(rule, values)
    except RecursionError:
        raise KeysRefused("merge failed with failed to unmarshal JSON: nested too deeply") from None


def _merged(rule: MergeRule, values: Mapping[str, bytes]) -> dict[str, bytes]:
    if rule.strategy == "JSON" and not rule.into:
        raise KeysRefused("merge failed with missing 'into' field")
    listed = set(rule.priority)
    order = sorted((key for key in values if key not in listed), key=str.encode)
    for key in rule.priority:
        if key in values:
            order.append(key)
        elif rule.priority_policy != "IgnoreNotFound":
            raise KeysRefused(f'merge failed with key "{key}" not found in input map')
    merged: dict[str, Any] = {}
    conflicts: list[str] = []
    for key in order:
        for member, value in _document(values[key]).items():
            if member in merged:
                conflicts.append(member)
            merged[member] = value
    if conflicts and rule.conflict_policy != "Ignore":
        raise KeysRefused(f"merge failed with conflicts: {', '.join(sorted(set(conflicts), key=str.encode))}")
    if rule.strategy == "JSON":
        return {**values, rule.into: _json(merged).encode()}
    return {member: value_text(value) for member, value in merged.items()}


def value_text(value: Any) -> bytes:
    """A parsed member as the bytes of a Secret's key."""
    if isinstance(value, _Number):
        return _plain(value).encode()
    if isinstance(value, str):
        return value.encode()
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return _escape_html(_json(value)).encode()


def _document(raw: bytes) -> dict[str, Any]:
    problem = "invalid JSON"
    try:
        text = raw.decode("utf-8", "replace")
        parsed = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        # Only the place: the text around it is secret.
        where = f"invalid JSON at character {error.pos}" if raw.strip() else "unexpected end of JSON input"
        raise KeysRefused(f"merge failed with failed to unmarshal JSON: {where}") from None
    except ValueError:
        raise KeysRefused(f"merge failed with failed to unmarshal JSON: {problem}") from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise KeysRefused(f"merge failed with failed to unmarshal JSON: the value is {_kind(parsed)}, not an object")
    return _all_well_formed(parsed) if "\\u" in text else parsed


def _all_well_formed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_all_well_formed(member): _all_well_formed(held) for member, held in value.items()}
    if isinstance(value, list):
        return [_all_well_formed(item) for item in value]
    if isinstance(value, str) and not isinstance(value, _Number):
        return well_formed(value)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _kind(value: Any) -> str:
    if isinstance(value, _Number):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a boolean" if isinstance(value, bool) else "an array"


def _plain(number: _Number) -> str:
    if not set(number) & set(".eE"):
        return "0" if number == "-0" else str(number)
    double = float(number)
    if not math.isfinite(double):
        return str(number)  # nothing that Go could hold: only the spelling is left
    text = f"{Decimal(repr(double)):f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _json(value: Any) -> str:
    """Compact JSON with members in byte order; integers with all digits, other numbers as the double they stand for."""
    if isinstance(value, _Number):
        # Past the range of a double, which JSON of Go cannot hold, only the spelling is left.
        return encode(Number(str(value)), doubles=math.isfinite(float(value)))
    if isinstance(value, dict):
        members = (
            f"{_json(key)}:{_json(value[key])}"
            for key in sorted(value, key=lambda name: name.encode("utf-8", "replace"))
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=False)
    # Go's encoder escapes the two line separators whatever its HTML setting.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") if isinstance(value, str) else text


def _escape_html(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
