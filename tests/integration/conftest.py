"""Starts the real control plane, where the environment names its binaries."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.integration.cluster import control_plane


@pytest.fixture(scope="session", autouse=True)
def _control_plane() -> Iterator[None]:
    with control_plane(os.environ):
        yield
