"""A small operator: paints Widgets, one ConfigMap each."""

import os
from typing import Any

import kopf
import kubernetes


@kopf.on.login()
def login(**kwargs: Any) -> Any:
    """Log in as the kubeconfig says."""
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.startup()
def configure(**_: Any) -> None:
    """The client that the handlers use goes to the same server."""
    kubernetes.config.load_kube_config(os.environ["KUBECONFIG"])


@kopf.on.create("test.example.io", "v1", "widgets")
@kopf.on.update("test.example.io", "v1", "widgets", field="spec")
def paint(spec: Any, name: str, namespace: str, patch: Any, **_: Any) -> None:
    """Keep a ConfigMap with the color of each widget."""
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"color": spec["color"]}}
    kopf.adopt(wanted)
    api = kubernetes.client.CoreV1Api()
    try:
        api.create_namespaced_config_map(namespace, wanted)
    except kubernetes.client.ApiException as error:
        if error.status != 409:
            raise
        api.patch_namespaced_config_map(name, namespace, {"data": wanted["data"]})
    patch.status["painted"] = spec["color"]
