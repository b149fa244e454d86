"""What the client calls itself."""

from __future__ import annotations

import platform
import sys

from eso_core.version import __version__

__all__ = ["user_agent"]


def user_agent(program: str, role: str = "") -> str:
    """``<program>/<version> (<os>/<arch>) eso-core/<version>``, with ``/<role>`` for a part of the program.

    Args:
        program: Name and version, like ``eso/0.1``. The server takes what stands before the slash as the field manager of
            writes that name none, so a name alone gets a version.
        role: Like ``leader-election`` or a controller's name.

    Raises:
        ValueError: The text cannot stand in a header.
    """
    named = program if "/" in program else f"{program}/{__version__}"
    text = f"{named} ({sys.platform}/{platform.machine() or 'unknown'}) eso-core/{__version__}"
    if role:
        text += f"/{role}"
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"user agent {text!r} has characters that cannot stand in a header")
    return text
