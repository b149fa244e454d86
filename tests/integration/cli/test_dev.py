"""`eso dev` on this machine: start, use with kubectl, stop, go on; and what it says when something is in the way."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
QUICKSTART = ROOT / "docs" / "examples" / "quickstart"
KUBECTL = shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")
LIMIT = 60.0


class Eso:
    """A running `eso` with its output in a file."""

    def __init__(self, folder: Path, *args: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.output = folder / f"out-{time.monotonic_ns()}"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controllers.cli.main", *args],
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **(env or {})},
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + LIMIT
        while text not in self.text:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.text}"
            assert time.monotonic() < deadline, f"no {text!r} in: {self.text}"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT)

    def kubectl(self, *args: str) -> str:
        command = [
            KUBECTL,
            "--kubeconfig",
            str(self.folder / ".eso-dev" / "kubeconfig"),
            "--cache-dir",
            str(self.folder / "cache"),
            *args,
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made: list[Eso] = []
    original = Eso.__init__

    def remember(self: Eso, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        made.append(self)

    Eso.__init__ = remember  # type: ignore[method-assign]
    try:
        yield tmp_path
    finally:
        Eso.__init__ = original  # type: ignore[method-assign]
        for eso in made:
            if eso.process.poll() is None:
                eso.process.kill()
                eso.process.wait()


def test_a_folder_of_manifests_becomes_a_secret_and_survives_stop_and_kill(folder: Path) -> None:
    """The path of the README: apply, look with kubectl, Ctrl-C, go on, kill -9, go on."""
    eso = Eso(folder, "dev", "-f", str(QUICKSTART))
    eso.wait_for("ExternalSecret default/app: Ready=True SecretSynced: secret synced")
    secret = json.loads(eso.kubectl("get", "secret", "app-credentials", "-o", "json"))
    assert {k: base64.b64decode(v) for k, v in secret["data"].items()} == {
        "username": b"app",
        "password": b"s3cr3t-from-a-store",
        "token": b"t0ken-0123456789",
    }
    for hint in (
        "get externalsecrets,secretstores -A",
        "get secret app-credentials -o yaml",
        "describe externalsecret app",
    ):
        assert f"kubectl --kubeconfig .eso-dev/kubeconfig {hint}" in eso.text
    assert "s3cr3t-from-a-store" not in eso.text + (folder / ".eso-dev" / "eso.log").read_text()
    assert eso.stop() == 0
    assert "Traceback" not in eso.text

    again = Eso(folder, "dev")
    again.wait_for("ExternalSecret default/app: Ready=True")
    resumed = json.loads(again.kubectl("get", "secret", "app-credentials", "-o", "json"))
    assert resumed["metadata"]["uid"] == secret["metadata"]["uid"]
    assert resumed["metadata"]["resourceVersion"] == secret["metadata"]["resourceVersion"]
    again.process.kill()
    again.process.wait()

    third = Eso(folder, "dev")
    third.wait_for("ExternalSecret default/app: Ready=True")
    assert third.stop(signal.SIGTERM) == 0
    assert not (folder / ".kube" / "config").exists()


def test_the_state_directory_is_private_and_locked(folder: Path) -> None:
    """0700, 0600, a .gitignore inside, and one instance at a time."""
    eso = Eso(folder, "dev", "--api-only")
    eso.wait_for("API server at https://127.0.0.1:")
    state = folder / ".eso-dev"
    assert state.stat().st_mode & 0o777 == 0o700
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in state.iterdir() if p.stat().st_mode & 0o777 != 0o600} == {}
    assert (state / ".gitignore").read_text() == "*\n"
    second = Eso(folder, "dev")
    assert second.process.wait(LIMIT) == 1
    assert (
        second.text
        == f"eso dev: .eso-dev is in use by another eso dev (process {eso.process.pid}): stop that one or give another --dir\n"
    )
    assert eso.stop() == 0


def test_an_operator_of_its_own_runs_against_api_only_and_requests_are_audited(folder: Path) -> None:
    """Two processes: the API server with an audit log, and the controller with metrics and health."""
    eso = Eso(folder, "dev", "--api-only", "--audit-log", "audit.log", "-f", str(QUICKSTART))
    eso.wait_for("applied SecretStore default/demo")
    eso.kubectl("get", "externalsecrets", "-A")
    controller = Eso(
        folder / "c",
        "--metrics-addr=127.0.0.1:0",
        "--live-addr=0",
        env={"KUBECONFIG": str(folder / ".eso-dev" / "kubeconfig")},
    )
    eso.kubectl("wait", "externalsecret/app", "--for=condition=Ready", f"--timeout={LIMIT:.0f}s")
    assert eso.kubectl("get", "secret", "app-credentials", "-o", "jsonpath={.data.username}") == "YXBw"
    assert controller.stop() == 0
    lines = [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]
    created = [
        e
        for e in lines
        if e["verb"] == "create"
        and e.get("objectRef", {}).get("resource") == "secrets"
        and e["userAgent"].startswith("external-secrets/")
    ]
    assert [(e["objectRef"].get("name"), e["responseStatus"]["code"], e["level"], e["stage"]) for e in created] == [
        ("app-credentials", 201, "Metadata", "ResponseComplete")
    ]
    metrics = eso.kubectl("get", "--raw", "/metrics")
    assert "apiserver_request_total{" in metrics
    assert eso.stop() == 0


def test_whoever_sees_the_kubeconfig_can_apply_at_once(folder: Path) -> None:
    """The file is there when all kinds are served, also for scripts that wait for nothing else."""
    eso = Eso(folder, "dev", "--api-only")
    kubeconfig = folder / ".eso-dev" / "kubeconfig"
    deadline = time.monotonic() + LIMIT
    while not kubeconfig.exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    eso.kubectl("apply", "--validate=false", "-f", str(QUICKSTART))
    assert eso.stop() == 0


def test_a_port_in_use_is_one_clear_line(folder: Path) -> None:
    """The line names the port and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        eso = Eso(folder, "dev", "--port", str(port))
        assert eso.process.wait(LIMIT) == 1
    assert eso.text.count("\n") == 1
    assert str(port) in eso.text
    assert "another process listens there: stop it, or choose another address or port by flag" in eso.text


def test_manifests_that_are_refused_are_named_and_the_rest_goes_on(folder: Path) -> None:
    """A store with two providers is refused by the schema; the other objects are applied."""
    (folder / "m.yaml").write_text(
        "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: two}\n"
        "spec: {provider: {fake: {data: []}, vault: {server: 'http://x'}}}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"
    )
    eso = Eso(folder, "dev", "--api-only", "-f", "m.yaml")
    eso.wait_for("not applied: ")
    assert "applied ConfigMap default/good" in eso.text
    assert "m.yaml, document 1: SecretStore" in eso.text
    assert "spec.provider: Too many: 2: must have at most 1 item" in eso.text
    assert eso.kubectl("get", "configmap", "good", "-o", "name") == "configmap/good\n"
    assert eso.stop() == 0


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["controller", "--kubeconfig", "nope"], "eso controller: reading kubeconfig nope: the file does not exist"),
        (["dev", "-f", "nope"], "eso dev: nope: no such file or folder"),
        (["--metrics-auth"], "eso controller: --metrics-auth needs --metrics-secure"),
        (
            ["--enable-leader-election"],
            "eso controller: --enable-leader-election outside of a pod needs --leader-election-namespace",
        ),
    ],
)
def test_a_bad_start_is_one_line_and_status_1(folder: Path, args: list[str], told: str) -> None:
    """No traceback."""
    eso = Eso(folder, *args)
    assert eso.process.wait(LIMIT) == 1
    assert eso.text.startswith(told)
    assert eso.text.count("\n") == 1
