"""How often a store is checked: `spec.refreshInterval`, a number of seconds or a duration text."""

from __future__ import annotations

from eso_core.meta import JsonObject, parse_duration

__all__ = ["InvalidInterval", "refresh_interval"]


class InvalidInterval(ValueError):
    """The field cannot be read; the message names it."""


def refresh_interval(store: JsonObject, default: float) -> float:
    """Seconds between checks of a store; `default` when it says nothing or zero.

    Raises:
        InvalidInterval: the text is no duration, or it is negative.
    """
    value = (store.get("spec") or {}).get("refreshInterval")
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidInterval(f"spec.refreshInterval: {value!r} is neither a number of seconds nor a duration like 5m")
    if isinstance(value, int):
        seconds = float(value)
    else:
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise InvalidInterval(f"spec.refreshInterval: {error}: write it like 30s, 5m or 1h") from error
    if seconds < 0:
        raise InvalidInterval(f"spec.refreshInterval: invalid refreshInterval {value}: must not be negative")
    return seconds or default
