"""Unexpected exceptions of providers, told without their text."""

from __future__ import annotations

import traceback
from pathlib import PurePath

__all__ = ["describe_defect"]


def describe_defect(error: BaseException) -> str:
    """Type and place of an exception that no provider should raise.

    Its message is left out: nobody has looked at what it quotes.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"internal provider error: {type(error).__name__}{place}"
