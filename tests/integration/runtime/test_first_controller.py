"""The guide's first controller, by its own commands."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.integration.cli.test_examples import ROOT, Shell, block

PAGE = ROOT / "docs" / "library" / "first-controller.md"


def test_the_code_on_the_page_is_the_example() -> None:
    """So that it is type-checked, linted and run."""
    shown = re.search(r"<!-- is (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown
    assert (ROOT / shown.group(1)).read_text() == shown.group(2)


def test_the_pages_commands_end_with_a_greeting(tmp_path: Path) -> None:
    """Definition, API server, controller, kubectl."""
    shell = Shell(tmp_path, {})
    made = shell.run(block(PAGE, "definition"))
    assert made.returncode == 0, made.stderr
    with shell.background(block(PAGE, "apiserver")):
        shell.until("kubectl --kubeconfig dev.kubeconfig get crd -o name || true", "greetings.example.io")
        with shell.background("env " + block(PAGE, "controller"), signal.SIGTERM) as controller:
            assert shell.run(block(PAGE, "greet")).returncode == 0
            assert shell.until(block(PAGE, "look"), "Hello") == "Hello, World!"
        assert controller.returncode == 0
