"""Start, use and stop of an environment, with stand-ins for the binaries.

The stand-in of kube-apiserver reads the flags and files as the real one does, and serves the in-process server with them;
that of etcd answers ``/health``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from eso_core.client import Client, config_from_kubeconfig
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import Forbidden
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE
from eso_core.testing.envtest import EnvTest, EnvTestError, EnvTestOptions, local_webhooks
from eso_core.testing.eventually import eventually

ETCD = """
import http.server, sys
flags = dict(arg[2:].split("=", 1) for arg in sys.argv[1:])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b'{"health":"true"}')
port = int(flags["listen-client-urls"].rpartition(":")[2])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

API_SERVER = """
import asyncio, pathlib, signal, sys
sys.path.insert(0, ROOT)
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.storage.statefile import Snapshot
flags = dict(arg[2:].split("=", 1) for arg in sys.argv[1:])
read = lambda name: pathlib.Path(flags[name]).read_text()
certificates = {"ca_cert": read("client-ca-file"), "ca_key": "", "cert": read("tls-cert-file"), "key": read("tls-private-key-file")}
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    snapshot = Snapshot({"certificates": certificates}, 1, {})
    options = ApiServerOptions(host=flags["bind-address"], port=int(flags["secure-port"]), snapshot=snapshot)
    async with await ApiServer.start(options):
        print("serving", flush=True)
        await stop.wait()
asyncio.run(main())
"""

CRD = {
    "metadata": {"name": "widgets.example.io"},
    "spec": {
        "group": "example.io",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
            {"name": "v0", "served": False, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
}
WIDGET = GVK("example.io", "v1", "Widget")


def script(path: Path, text: str) -> None:
    root = str(Path(__file__).parents[4])
    path.write_text(f"#!{sys.executable}\n{text.replace('ROOT', repr(root))}")
    path.chmod(0o755)


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """A folder with the stand-ins."""
    folder = tmp_path / "assets"
    folder.mkdir()
    script(folder / "etcd", ETCD)
    script(folder / "kube-apiserver", API_SERVER)
    return folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, so that the test sees what is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def options(assets: Path, **changes: Any) -> EnvTestOptions:
    return EnvTestOptions(assets=assets, environ=changes.pop("environ", {}), **changes)


def running(text: str) -> list[int]:
    """Processes with this text in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended
    return found


async def test_an_environment_from_start_to_stop(assets: Path, temporary: Path, tmp_path: Path) -> None:
    """Administrator and users by certificate, definitions, webhooks; nothing is left."""
    manifest = tmp_path / "crds.yaml"
    manifest.write_text(json.dumps({"kind": "CustomResourceDefinition", **CRD}))
    async with await EnvTest.start(options(assets, crds=[manifest])) as environment:
        assert running(str(assets))
        assert not environment.controllers
        async with Client(config_from_kubeconfig(environment.kubeconfig())) as admin:
            await admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
            widget = {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "a"}}
            await admin.create(widget)
            await environment.install(CRD)  # a second time updates
            assert (await admin.get(WIDGET, ObjectKey("a", "w")))["metadata"]["generation"] == 1
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
            who = await admin.create(review)
            assert who["status"]["userInfo"]["username"] == "kubernetes-admin"
        jane = environment.add_user("jane", ["painters"])
        async with Client(config_from_kubeconfig(jane)) as client:
            who = await client.create(review)
            assert who["status"]["userInfo"]["username"] == "jane"
            assert "painters" in who["status"]["userInfo"]["groups"]
            with pytest.raises(Forbidden, match='User "jane" cannot list resource "configmaps"'):
                await client.list(CONFIG_MAP, "a")
        path = tmp_path / "kubeconfig"
        environment.write_kubeconfig(path)
        assert path.stat().st_mode & 0o777 == 0o600
    assert running(str(assets)) == []
    assert os.listdir(temporary) == []


async def test_webhook_configurations_are_pointed_to_the_test(assets: Path) -> None:
    """Created and updated with the address and authority of the test's server."""
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "v"},
        "webhooks": [
            {
                "name": "v.example.io",
                "clientConfig": {"service": {"namespace": "n", "name": "s", "path": "/validate"}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "rules": [
                    {"apiGroups": ["example.io"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}
                ],
            }
        ],
    }
    ca = "-----BEGIN CERTIFICATE-----\n"
    changed = local_webhooks(manifest, host="::1", port=9443, ca=ca)
    assert changed["webhooks"][0]["clientConfig"] == {
        "url": "https://[::1]:9443/validate",
        "caBundle": base64.b64encode(ca.encode()).decode(),
    }
    async with await EnvTest.start(options(assets)) as environment:
        ca = base64.b64decode(environment.kubeconfig()["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        for port in (9443, 9444):
            await environment.install_webhooks(manifest, host="127.0.0.1", port=port, ca=ca)
        async with Client(config_from_kubeconfig(environment.kubeconfig())) as admin:
            kind = GVK("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration")
            live = await admin.get(kind, ObjectKey("", "v"))
        assert live["webhooks"][0]["clientConfig"]["url"] == "https://127.0.0.1:9444/validate"


async def test_a_process_that_ends_is_told_with_its_output(assets: Path, temporary: Path) -> None:
    """The failing start stops etcd and removes the files."""
    script(assets / "kube-apiserver", "print('unknown flag: --bind-address'); raise SystemExit(3)")
    with pytest.raises(EnvTestError) as caught:
        await EnvTest.start(options(assets))
    assert str(caught.value).startswith(
        "starting kube-apiserver: it ended with status 3; its output ends with:\nunknown flag"
    )
    assert running(str(assets)) == []
    assert os.listdir(temporary) == []


async def test_a_silent_process_is_given_up_in_time(assets: Path) -> None:
    """The limit comes from the environment; a process that ignores SIGTERM is killed."""
    script(
        assets / "etcd",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)",
    )
    environ = {"KUBEBUILDER_CONTROLPLANE_START_TIMEOUT": "300ms", "KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT": "100ms"}
    began = time.monotonic()
    with pytest.raises(
        EnvTestError, match="starting etcd: it did not answer: set KUBEBUILDER_CONTROLPLANE_START_TIMEOUT if 0.3 s"
    ):
        await EnvTest.start(options(assets, environ=environ))
    assert time.monotonic() - began < 10
    assert running(str(assets)) == []


async def test_bad_settings_are_refused_in_words(assets: Path, tmp_path: Path) -> None:
    """A duration that is none, a binary for another machine, a kubeconfig that is missing or none."""
    environ = {"KUBEBUILDER_CONTROLPLANE_START_TIMEOUT": "soon"}
    with pytest.raises(
        EnvTestError, match="reading KUBEBUILDER_CONTROLPLANE_START_TIMEOUT: 'soon' is no duration: write it like 20s"
    ):
        await EnvTest.start(options(assets, environ=environ))
    (assets / "etcd").write_bytes(b"\x7fELF broken")
    with pytest.raises(
        EnvTestError, match="starting etcd: .*Exec format error.*: check that .*etcd runs on this machine"
    ):
        await EnvTest.start(options(assets))
    with pytest.raises(EnvTestError, match="using the existing cluster: .*nothing.*set KUBECONFIG"):
        await EnvTest.start(EnvTestOptions(environ={"ESO_TEST_KUBECONFIG": str(tmp_path / "nothing")}))
    (tmp_path / "list").write_text("[]")
    with pytest.raises(EnvTestError, match="is no kubeconfig"):
        await EnvTest.start(
            EnvTestOptions(environ={"USE_EXISTING_CLUSTER": "true", "KUBECONFIG": str(tmp_path / "list")})
        )


async def test_an_existing_cluster_is_used_and_left_alone(assets: Path, tmp_path: Path) -> None:
    """By ``USE_EXISTING_CLUSTER`` or ``ESO_TEST_KUBECONFIG``; it gives no certificates, and runs on afterwards."""
    path = tmp_path / "kubeconfig"
    async with await EnvTest.start(options(assets)) as cluster:
        cluster.write_kubeconfig(path)
        for environ in ({"USE_EXISTING_CLUSTER": "true", "KUBECONFIG": str(path)}, {"ESO_TEST_KUBECONFIG": str(path)}):
            async with await EnvTest.start(EnvTestOptions(environ=environ)) as environment:
                assert environment.url == cluster.url
                assert environment.controllers
                await environment.install(CRD)
                with pytest.raises(EnvTestError, match="adding the user jane: .*: impersonate the user instead"):
                    environment.add_user("jane")
        async with Client(config_from_kubeconfig(cluster.kubeconfig())) as client:
            assert await client.list(NAMESPACE)


async def test_the_end_of_the_interpreter_ends_the_processes(assets: Path, tmp_path: Path) -> None:
    """A test run that is torn down without `aclose` leaves no process."""
    program = f"""
import asyncio, os, sys
sys.path.insert(0, {str(Path(__file__).parents[4])!r})
from pathlib import Path
from eso_core.testing.envtest import EnvTest, EnvTestOptions
async def main():
    environment = await EnvTest.start(EnvTestOptions(assets=Path({str(assets)!r}), environ={{}}))
    print(environment.url)
    sys.exit(0)
loop = asyncio.new_event_loop()
try:
    loop.run_until_complete(main())
except SystemExit:
    raise
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert out.startswith(b"https://127.0.0.1:"), err
    await eventually(lambda: not running(str(assets)))
