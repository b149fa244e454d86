"""Time zones: UTC, the operator's own (which is UTC), fixed offsets, and those of the time zone database."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controllers.templating.gotemplate.values import GoObject

__all__ = ["LOCAL", "UTC", "Location", "UnknownZone", "fixed_zone", "load_zone"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# The Gregorian calendar with its weekdays, and so every rule of a zone, comes again after 400 years.
_CYCLE: Final = 146_097 * 86_400
_FIRST: Final = -62_000_000_000  # in the year 5
_LAST: Final = 253_000_000_000  # in the year 9987
_ZONE_NAME: Final = re.compile(r"[A-Za-z0-9_+\-./]+\Z")


class UnknownZone(ValueError):
    """The time zone database has no zone of that name."""


class Location(GoObject):
    """*time.Location.

    Attributes:
        name: of the zone; an abbreviation or empty for a fixed offset.
        zone: rules; None for a fixed offset.
        offset: seconds east of UTC where there are no rules.
    """

    __slots__ = ("name", "offset", "zone")
    go_type = "*time.Location"
    go_kind = "ptr"

    def __init__(self, name: str, zone: ZoneInfo | None = None, offset: int = 0) -> None:
        self.name = name
        self.zone = zone
        self.offset = offset

    def lookup(self, seconds: int) -> tuple[str, int, bool]:
        """Abbreviation, offset in seconds east of UTC, and whether it is summer time, at a Unix time."""
        if self.zone is None:
            return self.name, self.offset, False
        if seconds > _LAST:
            seconds -= -(-(seconds - _LAST) // _CYCLE) * _CYCLE
        moment = (_EPOCH + dt.timedelta(seconds=max(seconds, _FIRST))).astimezone(self.zone)
        offset, summer = moment.utcoffset(), moment.dst()
        return moment.tzname() or "", int(offset.total_seconds()) if offset else 0, bool(summer)

    def text(self) -> bytes:
        return self.name.encode()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Location):
            return NotImplemented
        return (self.name, self.zone, self.offset) == (other.name, other.zone, other.offset)

    def __hash__(self) -> int:
        return hash((self.name, self.offset))

    methods: ClassVar[dict[str, tuple[tuple[str, ...], Any]]] = {"String": ((), text)}


UTC: Final = Location("UTC")
LOCAL: Final = UTC
"""The zone of the process: the operator runs in UTC, so that output does not depend on the node."""


def fixed_zone(name: str, offset: int) -> Location:
    """A zone that is always `offset` seconds east of UTC."""
    return Location(name, None, offset)


@lru_cache(512)
def load_zone(name: bytes) -> Location:
    """The zone of a name such as `Europe/Berlin`; no name is UTC, `Local` the zone of the process.

    Raises:
        UnknownZone: there is none, or the name is a path out of the database.
    """
    if name in (b"", b"UTC"):
        return UTC
    if name == b"Local":
        return LOCAL
    try:
        text = name.decode("ascii")
        if not _ZONE_NAME.match(text) or ".." in text or text.startswith("/"):
            raise UnknownZone(f"unknown time zone {text}")
        return Location(text, ZoneInfo(text))
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise UnknownZone("unknown time zone") from error
