"""Names of found secrets made into keys that a Secret can have."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from providers.errors import InvalidData

__all__ = ["convert_names", "is_kept"]


def convert_names(strategy: str, values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make names acceptable: `Default` (also when absent) puts `_` for each foreign character, `Unicode` its code.

    Raises:
        InvalidData: two names convert to the same one.
    """
    converted: dict[str, bytes] = {}
    for name in sorted(values, key=str.encode):
        made = "".join(char if is_kept(char) else _replacement(strategy, char) for char in name)
        if made in converted:
            raise InvalidData(f"secret name collision during conversion: {made}")
        converted[made] = values[name]
    return converted


def is_kept(char: str) -> bool:
    """Whether conversion leaves a character: letters and digits of all scripts, `-`, `.` and `_`."""
    return (char.isascii() and (char.isalnum() or char in "-._")) or unicodedata.category(char)[0] in "LN"


def _replacement(strategy: str, char: str) -> str:
    return f"_U{ord(char):04x}_" if strategy == "Unicode" else "_"
