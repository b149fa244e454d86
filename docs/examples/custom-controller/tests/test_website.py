"""The operator on an API server, without a cluster: kinds, watches, status, events and garbage collection are real."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from website.api import Website
from website.controller import operator

from eso_core import DEPLOYMENT, Client, Manager, ManagerOptions, MergePatch, NotFound, ObjectKey, crd_for, load_config
from eso_core.testing.eventually import eventually


@pytest.fixture
async def client(kubeconfig: Path) -> AsyncIterator[Client]:
    """What the test itself asks."""
    async with Client(await load_config(str(kubeconfig))) as client:
        yield client


@pytest.fixture
async def running(kubeconfig: Path, kube_namespace: str) -> AsyncIterator[Manager]:
    """The operator, on one namespace, without servers and leases."""
    options = ManagerOptions(namespaces=(kube_namespace,), metrics_addr="0", health_addr="0")
    manager = await operator.manager(await load_config(str(kubeconfig)), options)
    task = asyncio.create_task(manager.run())
    yield manager
    manager.stop()
    await task


def website(namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.io/v1",
        "kind": "Website",
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": spec,
    }


async def test_a_website_gets_a_deployment_and_says_when_it_serves(
    running: Manager, client: Client, kube_namespace: str
) -> None:
    """Created, changed, ready, and cleaned up."""
    key = ObjectKey(kube_namespace, "shop")
    await client.create(website(kube_namespace, host="shop.example", replicas=2))

    async def condition() -> tuple[str, str]:
        site = await client.get(Website, key)
        found = (site.status.conditions if site.status else None) or [{"status": "", "reason": ""}]
        return found[0]["status"], found[0]["reason"]

    async def starting() -> bool:
        return await condition() == ("False", "Starting")

    await eventually(starting)
    deployment = await client.get(DEPLOYMENT, key)
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "HOST", "value": "shop.example"}]

    # Nobody runs Pods here: the test says that they do.
    await client.patch(
        DEPLOYMENT, key, MergePatch({"status": {"readyReplicas": 2, "replicas": 2}}), subresource="status"
    )

    async def serving() -> bool:
        return await condition() == ("True", "Serving")

    await eventually(serving)
    assert running.registry.get_sample_value("websites_served") == 1

    await client.delete(Website, key)

    async def gone() -> bool:
        try:
            await client.get(Website, key)
        except NotFound:
            return True
        return False

    await eventually(gone)
    assert running.registry.get_sample_value("websites_served") == 0


async def test_a_host_that_is_a_url_is_refused_once(running: Manager, client: Client, kube_namespace: str) -> None:
    """The condition says what to do, and nothing is retried."""
    key = ObjectKey(kube_namespace, "shop")
    await client.create(website(kube_namespace, host="https://shop.example/"))

    async def refused() -> bool:
        site = await client.get(Website, key)
        return bool(site.status and site.status.conditions and site.status.conditions[0]["reason"] == "InvalidHost")

    await eventually(refused)
    errors = "controller_runtime_terminal_reconcile_errors_total"

    async def counted() -> bool:
        return (running.registry.get_sample_value(errors, {"controller": "website"}) or 0) >= 1

    await eventually(counted)
    with pytest.raises(NotFound):
        await client.get(DEPLOYMENT, key)


def test_the_definition_on_disk_is_that_of_the_class() -> None:
    """Regenerate with `python -m eso_core.model website.api:Website > crds/websites.yaml`."""
    on_disk = yaml.safe_load((Path(__file__).parents[1] / "crds" / "websites.yaml").read_text())
    assert on_disk == crd_for(Website)
