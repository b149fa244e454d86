"""Stock kubectl: the commands of every day, protobuf bodies included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eso_core.testing.apiserver.background import BackgroundServer

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")


class Kubectl:
    """Runs kubectl in one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str, home: Path) -> None:
        self._base = ["kubectl", "--kubeconfig", str(kubeconfig), "-n", namespace, "--cache-dir", str(home / "cache")]
        self._home = home

    def __call__(self, *arguments: str, stdin: Any = None, fails: bool = False) -> str:
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        env = {"PATH": os.environ["PATH"], "HOME": str(self._home)}
        done = subprocess.run(
            [*self._base, *arguments], input=text, capture_output=True, text=True, env=env, timeout=60
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout


@pytest.fixture
def kubectl(kubeconfig: Path, kube_namespace: str, tmp_path: Path) -> Kubectl:
    return Kubectl(kubeconfig, kube_namespace, tmp_path)


WIDGET = {"apiVersion": "test.example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"color": "red"}}


def test_create_commands_send_protobuf(kubectl: Kubectl, kube_namespace: str) -> None:
    """T-30: secrets, config maps, accounts, roles, bindings, tokens."""
    kubectl("create", "secret", "generic", "s", "--from-literal=k=v")
    assert kubectl("get", "secret", "s", "-o", "jsonpath={.data.k}") == "dg=="
    kubectl("create", "configmap", "c", "--from-literal=k=v")
    kubectl("create", "serviceaccount", "sa")
    kubectl("create", "role", "r", "--verb=get", "--resource=secrets")
    kubectl("create", "rolebinding", "b", "--role=r", f"--serviceaccount={kube_namespace}:sa")
    account = f"--as=system:serviceaccount:{kube_namespace}:sa"
    assert kubectl("auth", "can-i", "get", "secrets", account) == "yes\n"
    assert kubectl("create", "token", "sa").count(".") == 2
    assert "s" in kubectl("get", "secret", "s", account)
    assert "cannot list resource" in kubectl("get", "secrets", account, fails=True)


def test_apply_is_validated_on_the_client_and_merges_three_ways(kubectl: Kubectl) -> None:
    """8.2: OpenAPI v3 is good enough for strict validation; removed fields go."""
    bad = {**WIDGET, "spec": {"color": "red", "colour": "x"}}
    assert 'unknown field "spec.colour"' in kubectl("apply", "-f", "-", stdin=bad, fails=True)
    assert kubectl("apply", "-f", "-", stdin=WIDGET) == "widget.test.example.io/w created\n"
    assert kubectl("apply", "-f", "-", stdin=WIDGET) == "widget.test.example.io/w unchanged\n"
    assert kubectl("apply", "-f", "-", stdin={**WIDGET, "spec": {}}) == "widget.test.example.io/w configured\n"
    assert kubectl("get", "widget", "w", "-o", "jsonpath={.spec}") == '{"replicas":1}'


def test_tables_explanations_and_scaling(kubectl: Kubectl) -> None:
    """8.2: get by short name, wide output, explain, scale."""
    kubectl("create", "-f", "-", stdin=WIDGET)
    header, row = kubectl("get", "wd").splitlines()
    assert (header.split(), row.split()) == (["NAME", "COLOR"], ["w", "red"])
    assert "The color of the widget." in kubectl("explain", "widget.spec.color")
    assert kubectl("scale", "widget", "w", "--replicas=3") == "widget.test.example.io/w scaled\n"
    assert kubectl("get", "widget", "w", "-o", "jsonpath={.spec.replicas}") == "3"


def test_describe_shows_the_events_of_an_object(kubectl: Kubectl, kube_namespace: str) -> None:
    """8.2: events are found by the object's uid."""
    kubectl("create", "-f", "-", stdin=WIDGET)
    uid = kubectl("get", "widget", "w", "-o", "jsonpath={.metadata.uid}")
    reference = {
        "apiVersion": "test.example.io/v1",
        "kind": "Widget",
        "name": "w",
        "namespace": kube_namespace,
        "uid": uid,
    }
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": reference,
        "reason": "Painted",
        "message": "now it is red",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    kubectl("create", "-f", "-", stdin=event)
    described = kubectl("describe", "widget", "w")
    assert "Painted" in described
    assert "now it is red" in described


def test_waiting_for_a_condition_and_for_deletion(kubectl: Kubectl, apiserver: BackgroundServer) -> None:
    """8.2: wait and delete follow watches."""
    kubectl("create", "-f", "-", stdin={**WIDGET, "metadata": {"name": "w", "finalizers": ["example.io/f"]}})
    condition = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    kubectl("patch", "widget", "w", "--subresource=status", "--type=merge", "-p", json.dumps(condition))
    assert "condition met" in kubectl("wait", "widget/w", "--for=condition=Ready", "--timeout=5s")
    kubectl("delete", "widget", "w", "--wait=false")
    kubectl("patch", "widget", "w", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    kubectl("wait", "widget/w", "--for=delete", "--timeout=5s")
    assert "NotFound" in kubectl("get", "widget", "w", fails=True)
    assert {exchange.verb for exchange in apiserver.requests(resource="widgets", user_agent="kubectl")} >= {
        "create",
        "patch",
        "delete",
        "get",
    }


def test_client_side_apply_migrates_to_server_side(kubectl: Kubectl) -> None:
    """T-58: kubectl moves its ownership with three requests."""
    kubectl("apply", "-f", "-", stdin=WIDGET)
    kubectl("apply", "--server-side", "-f", "-", stdin={**WIDGET, "spec": {"color": "blue"}})
    fields = json.loads(kubectl("get", "widget", "w", "-o", "json", "--show-managed-fields"))["metadata"][
        "managedFields"
    ]
    assert [(entry["manager"], entry["operation"]) for entry in fields] == [
        ("kubectl-last-applied", "Apply"),
        ("kubectl", "Apply"),
    ]


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Kubectl) -> None:
    """T-46: by kubectl delete, which waits."""
    kubectl("create", "namespace", "doomed")
    kubectl("create", "secret", "generic", "s", "-n", "doomed")
    kubectl("delete", "namespace", "doomed", "--timeout=10s")
    assert "NotFound" in kubectl("get", "namespace", "doomed", fails=True)
