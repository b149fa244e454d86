"""Tests whose whole form takes minutes or hours: shortened everywhere, whole with `ESO_TEST_NIGHTLY=1`."""

from __future__ import annotations

import os
from typing import TypeVar

__all__ = ["NIGHTLY", "whole_or"]

T = TypeVar("T")

NIGHTLY = bool(os.environ.get("ESO_TEST_NIGHTLY"))


def whole_or(whole: T, short: T) -> T:
    """The number for the whole form, or the one for every day."""
    return whole if NIGHTLY else short
