"""What an event must say of itself, and how one that does not is told of."""

from __future__ import annotations

import structlog

from eso_core.meta.errors import EsoCoreError

__all__ = ["InvalidEvent", "check_event", "check_word", "not_recorded"]

_log = structlog.get_logger("eso_core.events")


class InvalidEvent(EsoCoreError, ValueError):
    """The event cannot be recorded as it was given."""


def check_event(event_type: object, reason: object, name: str) -> None:
    """Checks what both versions of events need.

    Raises:
        InvalidEvent: with the rule that was broken.
    """
    if event_type not in ("Normal", "Warning"):
        raise InvalidEvent(f"its type is {event_type!r}: give 'Normal' or 'Warning'")
    check_word("reason", reason)
    if not name:
        raise InvalidEvent("the object it is about has no name: give an object that was read from the server")


def check_word(field: str, value: object) -> None:
    """Checks a word for machines.

    Raises:
        InvalidEvent: it is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        shown = "empty" if value == "" else f"{type(value).__name__}, not a text"
        raise InvalidEvent(
            f"its {field} is {shown}: give one CamelCase word of at most 128 characters, such as 'Synced'"
        )


def not_recorded(error: Exception, reason: object) -> None:
    """Logs that an event was dropped: with the rule where one was broken, with the stack where the cause is not known."""
    if isinstance(error, InvalidEvent | TypeError):
        _log.error("event not recorded", reason=reason, error=str(error))
    else:
        _log.error("event not recorded", reason=reason, exc_info=error)
