"""ExternalSecrets that find their own output. Pure functions.

A `find` over the cluster's own Secrets may match the target itself, or another target into which it was copied. Each
refresh would then put the last one inside of the next, until the Secret is too large for the API server.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from providers.gojson import JsonValue, decode, encode

__all__ = ["Echo", "find_echo"]

#: Targets that pass each other on in a circle: so many in between are recognised.
_DEPTH = 3


class Echo(Struct, frozen=True):
    """Which of the fetched values hold what the target holds now.

    Attributes:
        own: keys whose value is the target itself.
        passed_on: keys whose value has the target inside, through other Secrets.
    """

    own: tuple[str, ...] = ()
    passed_on: tuple[str, ...] = ()


def find_echo(values: Mapping[str, bytes], target: Mapping[str, bytes], name: str) -> Echo:
    """Looks for the target in the values; an empty target has no echo.

    Args:
        values: what was found.
        target: the data of the target now.
        name: its name, which is the key under which another find has it.
    """
    if not target:
        return Echo()
    members: dict[str, JsonValue] = {key: value.decode("utf-8", "replace") for key, value in target.items()}
    whole = encode(members, html=False).encode()
    own = tuple(key for key, value in values.items() if value == whole)
    keys = set(target)
    passed_on = tuple(
        key for key, value in values.items() if key not in own and _holds(value.decode("utf-8", "replace"), name, keys)
    )
    return Echo(own, passed_on)


def _holds(text: str, name: str, keys: set[str], depth: int = _DEPTH) -> bool:
    """Whether a Secret has the target as a member, in this or an earlier state: under its name, with the same keys."""
    if not depth or f'"{name}' not in text.replace("\\", ""):
        return False
    members = _object(text)
    inner = _object(members.get(name)) if members else {}
    if inner and set(inner) == keys:
        return True
    return any(_holds(value, name, keys, depth - 1) for value in members.values() if isinstance(value, str))


def _object(text: object) -> dict[str, JsonValue]:
    """The members of a JSON object in a text; none for anything else."""
    if not isinstance(text, str) or not text.startswith("{"):
        return {}
    try:
        value = decode(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
