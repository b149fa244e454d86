"""The documented examples do what their pages say: their own commands are run."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
LIMIT = 60.0


def block(page: Path, name: str) -> str:
    """The shell block after `<!-- ci: name -->`."""
    found = re.search(
        rf"^<!-- ci: {re.escape(name)} -->\n```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, f"{page}: no block {name}"
    return found.group(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Shell:
    """Runs blocks in a copy of the checkout's documents, where `.venv/bin` is the environment of the tests."""

    def __init__(self, folder: Path, replace: dict[str, str]) -> None:
        self.folder = folder
        self._replace = replace
        shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
        for manifest in (folder / "docs").rglob("*.yaml"):
            manifest.write_text(self._fill(manifest.read_text()))
        (folder / ".venv").symlink_to(BIN.parent)
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{os.environ['PATH']}:{BIN}",
            "KUBECACHEDIR": str(folder / "cache"),
        }

    def _fill(self, text: str) -> str:
        for old, new in self._replace.items():
            text = text.replace(old, new)
        return text

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-ceu", self._fill(script)]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=LIMIT)

    @contextmanager
    def background(self, script: str, number: int = signal.SIGINT) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"out-{time.monotonic_ns()}").open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-ceu", f"exec {self._fill(script).strip()}"],
                cwd=self.folder,
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.send_signal(number)
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def until(self, script: str, wanted: str) -> str:
        """Run `script` until its output has `wanted`."""
        deadline = time.monotonic() + LIMIT
        while True:
            done = self.run(script)
            if wanted in done.stdout:
                return done.stdout
            assert time.monotonic() < deadline, f"no {wanted!r} from {script}: {done.stdout}{done.stderr}"
            time.sleep(0.1)


def test_the_quickstart_ends_with_a_secret(tmp_path: Path) -> None:
    """The README's command, then its kubectl line."""
    shell = Shell(tmp_path, {})
    with shell.background(block(ROOT / "README.md", "run")) as dev:
        shown = shell.until(block(ROOT / "README.md", "look"), "password:")
        assert base64.b64encode(b"s3cr3t-from-a-store").decode() in shown
    assert dev.returncode == 0


def test_a_secret_comes_out_of_a_real_openbao_and_follows_it(tmp_path: Path) -> None:
    """Server, seed, eso dev and look, as the page has them; then a new value, a sealed server, and the last good value."""
    page = ROOT / "docs" / "examples" / "openbao" / "README.md"
    shell = Shell(
        tmp_path, {"127.0.0.1:8200": f"127.0.0.1:{free_port()}", "refreshInterval: 15s": "refreshInterval: 1s"}
    )
    bao = "export BAO_ADDR=http://127.0.0.1:8200 BAO_TOKEN=root; .venv/bin/bao "
    kubectl = "kubectl --kubeconfig .eso-dev/kubeconfig "
    with shell.background(block(page, "openbao-server")):
        shell.until(bao + "status -format=json || true", '"sealed": false')
        assert shell.run(block(page, "openbao-seed")).returncode == 0
        with shell.background(block(page, "openbao-dev")) as dev:
            shell.until(kubectl + "get secret web-credentials -o name", "secret/web-credentials")
            assert shell.run(block(page, "openbao-look")).stdout.endswith("correct-horse")
            data = json.loads(shell.run(kubectl + "get secret web-credentials -o jsonpath={.data}").stdout)
            assert {k: base64.b64decode(v) for k, v in data.items()} == {
                "password": b"correct-horse",
                "SMTP_HOST": b"mail.example.org",
                "SMTP_PORT": b"587",
            }
            password = kubectl + "get secret web-credentials -o jsonpath={.data.password} | base64 -d"
            shell.run(bao + "kv put secret/web/database username=web password=battery-staple")
            shell.until(password, "battery-staple")
            shell.run(bao + "operator seal")
            shell.until(kubectl + "get externalsecret web -o jsonpath={.status.conditions}", '"status":"False"')
            assert shell.run(password).stdout == "battery-staple"
        assert dev.returncode == 0


def test_a_controller_of_ones_own_serves_a_website(tmp_path: Path) -> None:
    """API server, controller, kubectl, the tests and the definition, as the page has them; both servers know the kind."""
    page = ROOT / "docs" / "examples" / "custom-controller" / "README.md"
    shell = Shell(tmp_path, {"PYTHONPATH=docs": f"PYTHONPATH={ROOT}:docs"})
    folder = tmp_path / "docs" / "examples" / "custom-controller"
    # Tests run side by side, so that none may have the default ports.
    code = folder / "website" / "controller.py"
    quiet = 'leader_election=True, metrics_addr="0", health_addr="0")'
    code.write_text(code.read_text().replace("leader_election=True)", quiet))
    kubectl = "kubectl --kubeconfig dev.kubeconfig "
    with shell.background(block(page, "apiserver")):
        shell.until(kubectl + "get crd -o name || true", "websites.example.io")
        with shell.background("env " + block(page, "controller"), signal.SIGTERM) as controller:
            assert shell.run(block(page, "create")).returncode == 0
            assert "0 of 2 copies run" in shell.until(block(page, "look"), "Starting")
            assert shell.run(block(page, "serve")).returncode == 0
            shell.until(block(page, "look"), "Serving")
            shell.run(kubectl + "delete website shop")
            shell.until(kubectl + "get websites,deployments 2>&1", "No resources found")
        assert controller.returncode == 0
    tested = shell.run(block(page, "test"))
    assert tested.returncode == 0, tested.stdout
    before = (folder / "crds" / "websites.yaml").read_text()
    assert shell.run(block(page, "definition")).returncode == 0
    assert (folder / "crds" / "websites.yaml").read_text() == before
    also = re.search(r"`(\S+/eso dev --api-only .*?)`", page.read_text())
    assert also
    with shell.background(also.group(1)):
        shell.until("kubectl --kubeconfig .eso-dev/kubeconfig get crd -o name || true", "websites.example.io")
