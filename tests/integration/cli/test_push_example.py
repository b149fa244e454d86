"""The walk-through of one password in two stores: its own commands are run."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.cli.test_examples import ROOT, Shell, block, free_port

PAGE = ROOT / "docs" / "examples" / "one-password-two-stores" / "README.md"


def test_one_password_is_made_once_and_is_in_both_stores(tmp_path: Path) -> None:
    """Server, eso dev and look as the page has them; then a change, a restart, and the end."""
    shell = Shell(
        tmp_path, {"127.0.0.1:8200": f"127.0.0.1:{free_port()}", "refreshInterval: 5s": "refreshInterval: 1s"}
    )
    bao = "export BAO_ADDR=http://127.0.0.1:8200 BAO_TOKEN=root; .venv/bin/bao "
    with shell.background(block(PAGE, "server")):
        shell.until(bao + "status -format=json || true", '"sealed": false')
        with shell.background(block(PAGE, "dev")) as dev:
            shell.until(block(PAGE, "ready"), "Synced")
            kubectl = "kubectl --kubeconfig .eso-dev/kubeconfig "
            shell.until(kubectl + "get secret both-sides -o name", "both-sides")
            found = shell.run(block(PAGE, "look")).stdout.split()
            assert len(found) == 4 and len(set(found)) == 1, found
            password = found[0]
            assert len(password) == 32
            assert sum(sign.isdigit() for sign in password) == 6
            assert sum(sign in "!@#$%^&*" for sign in password) == 4
        assert dev.returncode == 0
        with shell.background(block(PAGE, "dev")):
            shell.until(kubectl + "get pushsecret database -o name", "database")
            assert shell.run(block(PAGE, "look")).stdout.split()[0] == password, "it was made again"
            assert shell.run(block(PAGE, "change")).returncode == 0
            deadline = time.monotonic() + 30.0
            while True:
                found = shell.run(block(PAGE, "look")).stdout.split()
                if len(found) == 4 and len(set(found)) == 1 and found[0] != password:
                    break
                assert time.monotonic() < deadline, found
                time.sleep(0.2)
            assert shell.run(block(PAGE, "delete")).returncode == 0
            shell.until(bao + "kv get secret/shop/database 2>&1 || true", "No value found")
