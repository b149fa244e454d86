"""Workload kinds: stored, validated and shown, with nothing acting on them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.apiserver.conftest import Caller

JsonObject = dict[str, Any]

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def deployment(**labels: str) -> JsonObject:
    """A Deployment of one container."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": labels or {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "nginx",
                            "ports": [{"containerPort": 80}],
                            "env": [{"name": "A", "value": "1"}],
                            "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                        }
                    ]
                },
            },
        },
    }


async def test_a_deployment_is_stored_with_its_defaults_and_counts_generations(call: Caller) -> None:
    """Replicas and protocols are defaulted; only changes of the spec raise the generation; status is apart."""
    made = await call("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", deployment())
    assert made.status == 201, made.body
    assert made.body["spec"]["replicas"] == 1
    assert made.body["spec"]["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert made.body["metadata"]["generation"] == 1
    changed = copy.deepcopy(made.body)
    changed["spec"]["replicas"] = 3
    assert (await call("PUT", f"{DEPLOYMENTS}/web", changed)).body["metadata"]["generation"] == 2
    status = {"status": {"readyReplicas": 2, "availableReplicas": 2, "updatedReplicas": 3}}
    merge = "application/merge-patch+json"
    written = await call("PATCH", f"{DEPLOYMENTS}/web/status", status, type=merge)
    assert written.status == 200, written.body
    assert written.body["metadata"]["generation"] == 2
    table = (await call("GET", DEPLOYMENTS, accept=TABLE)).body
    assert table["rows"][0]["cells"][:4] == ["web", "2/3", 3, 2]


async def test_a_selector_must_match_the_template(call: Caller) -> None:
    """A Deployment that could never find its pods is refused."""
    refused = await call("POST", DEPLOYMENTS, deployment(app="other"))
    assert refused.status == 422
    assert "`selector` does not match template `labels`" in refused.body["message"]


async def test_containers_need_an_image(call: Caller) -> None:
    """The refusal names the field."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
    refused = await call("POST", "/api/v1/namespaces/default/pods", pod)
    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == "spec.containers[0].image"


async def test_strategic_merge_and_apply_find_containers_and_variables_by_name(call: Caller) -> None:
    """Both kinds of patches leave what they do not name."""
    await call("POST", DEPLOYMENTS, deployment())
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "B", "value": "2"}]}]}}}}
    strategic = "application/strategic-merge-patch+json"
    patched = await call("PATCH", f"{DEPLOYMENTS}/web", change, type=strategic)
    assert patched.status == 200, patched.body
    container = patched.body["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx"
    assert sorted(item["name"] for item in container["env"]) == ["A", "B"]
    applied = deployment()
    applied["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "D", "value": "4"}]
    answer = await call(
        "PATCH", f"{DEPLOYMENTS}/web?fieldManager=m&force=true", applied, type="application/apply-patch+yaml"
    )
    assert answer.status == 200, answer.body
    names = [item["name"] for item in answer.body["spec"]["template"]["spec"]["containers"][0]["env"]]
    assert sorted(names) == ["A", "B", "D"]


@pytest.mark.parametrize(
    ("path", "kind", "rest"),
    [
        ("/api/v1/namespaces/default/services", "Service", {"spec": {"ports": [{"port": 80}]}}),
        ("/api/v1/namespaces/default/endpoints", "Endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}),
        ("/api/v1/namespaces/default/persistentvolumeclaims", "PersistentVolumeClaim", {"spec": {"volumeName": "v"}}),
        ("/api/v1/nodes", "Node", {"spec": {"podCIDR": "10.0.0.0/24"}}),
        ("/apis/batch/v1/namespaces/default/jobs", "Job", {"spec": {"backoffLimit": 1}}),
        ("/apis/batch/v1/namespaces/default/cronjobs", "CronJob", {"spec": {"schedule": "* * * * *"}}),
        ("/apis/networking.k8s.io/v1/namespaces/default/ingresses", "Ingress", {"spec": {"rules": []}}),
        ("/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", "NetworkPolicy", {"spec": {}}),
        (
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]},
        ),
        ("/apis/policy/v1/namespaces/default/poddisruptionbudgets", "PodDisruptionBudget", {"spec": {}}),
    ],
)
async def test_other_kinds_are_kept_as_they_are_written(call: Caller, path: str, kind: str, rest: JsonObject) -> None:
    """Strict validation refuses nothing in the open parts; tables and deletion work."""
    version = "v1" if path.startswith("/api/") else "/".join(path.split("/")[2:4])
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **rest}
    made = await call("POST", f"{path}?fieldValidation=Strict", obj)
    assert made.status == 201, made.body
    table = (await call("GET", path, accept=TABLE)).body
    assert table["rows"][0]["cells"][0] == "x"
    assert (await call("DELETE", f"{path}/x")).status == 200


async def test_a_new_pod_is_pending(call: Caller) -> None:
    """Whatever status is sent along, it begins as Pending, and nothing moves it on."""
    pods = "/api/v1/namespaces/default/pods"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Running"}}
    made = await call("POST", pods, {**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    assert made.body["status"] == {"phase": "Pending"}
    table = (await call("GET", pods, accept=TABLE)).body
    assert table["rows"][0]["cells"][:4] == ["p", "0/1", "Pending", "0"]
