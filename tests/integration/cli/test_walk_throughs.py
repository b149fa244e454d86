"""The walk-throughs of the documentation: their own commands are run."""

from __future__ import annotations

from pathlib import Path

from tests.integration.cli.test_examples import ROOT, Shell, block

EXAMPLES = ROOT / "docs" / "examples"


def test_a_certificate_goes_with_the_label(tmp_path: Path) -> None:
    """Three namespaces have it; one loses it with the label, another gets it."""
    page = EXAMPLES / "tls-for-some-namespaces" / "README.md"
    shell = Shell(tmp_path, {})
    with shell.background(block(page, "dev")) as dev:
        for namespace in ("shop", "blog", "mail"):
            shell.until(block(page, "look"), namespace)
        assert shell.run(block(page, "take")).returncode == 0
        shell.until(block(page, "look") + "echo end", "end")
        shell.until(f"({block(page, 'look').strip()}) | grep -c blog || true", "0")
        assert shell.run(block(page, "give")).returncode == 0
        shell.until(block(page, "look"), "wiki")
        shell.until(block(page, "status"), '["mail","shop","wiki"]')
    assert dev.returncode == 0


def test_the_reference_of_the_pod_is_the_url(tmp_path: Path) -> None:
    """With the password escaped."""
    page = EXAMPLES / "database-url" / "README.md"
    shell = Shell(tmp_path, {})
    with shell.background(block(page, "dev")) as dev:
        shell.until(block(page, "look"), "postgres://orders:p%40ss%2Fw%3Ard@db.example.org:5432/orders")
    assert dev.returncode == 0
