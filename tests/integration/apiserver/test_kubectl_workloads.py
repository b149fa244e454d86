"""Stock kubectl on the kinds of workloads."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")


def test_kubectl_applies_shows_exposes_and_changes_workloads(
    kubeconfig: Path, kube_namespace: str, tmp_path: Path
) -> None:
    """A Deployment is rendered, applied, listed, given another image and exposed; a Pod is run."""
    base = ["kubectl", "--kubeconfig", str(kubeconfig), "-n", kube_namespace, "--cache-dir", str(tmp_path / "cache")]

    def kubectl(*arguments: str, stdin: str | None = None) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run([*base, *arguments], input=stdin, capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    manifest = kubectl("create", "deployment", "web", "--image=nginx", "--dry-run=client", "-o", "yaml")
    assert kubectl("apply", "-f", "-", stdin=manifest) == "deployment.apps/web created\n"
    assert kubectl("get", "deploy", "web", "--no-headers").split()[:4] == ["web", "0/1", "0", "0"]
    kubectl("set", "image", "deploy/web", "nginx=nginx:2")
    image = "jsonpath={.spec.template.spec.containers[0].image} {.metadata.generation}"
    assert kubectl("get", "deploy", "web", "-o", image) == "nginx:2 2"
    kubectl("expose", "deployment", "web", "--port=80")
    kubectl("run", "p", "--image=nginx")
    assert kubectl("get", "all", "-o", "name").split() == ["pod/p", "service/web", "deployment.apps/web"]
    assert kubectl("get", "svc", "web", "--no-headers").split()[1:5] == ["ClusterIP", "<none>", "<none>", "80/TCP"]
