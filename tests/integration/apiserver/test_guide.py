"""The example project of the guide works as it is printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "testing-a-controller"


def test_the_example_project_passes_its_own_tests() -> None:
    """docs/examples/testing-a-controller, in a pytest of its own."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLE, env=env, timeout=110)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
