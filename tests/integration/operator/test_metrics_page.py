"""The page that Prometheus scrapes from a running operator, compared with the one that dashboards were made for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp

from controllers.operator import Operator, OperatorOptions
from eso_core.aio import TaskScope
from eso_core.manager import LeaderElectionOptions
from providers.interface import StoreContext
from providers.registry import Registry
from providers.spec import ProviderSpec
from tests.integration.operator.harness import SS, Probe, ProbeProvider, running

#: Family -> type, help, label names as they are written, bucket bounds.
GOLDEN: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "metrics_page.json").read_text())
#: Families with a series for each controller, from the start.
BY_CONTROLLER = sorted(name for name, family in GOLDEN.items() if "controller" in family["labels"])
CONTROLLERS = {"externalsecret", "pushsecret", "secretstore", "clustersecretstore"}
PUSH = {
    "apiVersion": "external-secrets.io/v1alpha1",
    "kind": "PushSecret",
    "metadata": {"name": "push", "namespace": "t"},
    "spec": {
        "secretStoreRefs": [{"name": "own"}],
        "selector": {"secret": {"name": "app"}},
        "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": "r"}}}],
    },
}
_SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


class CountingProvider(ProbeProvider):
    """The fake backend, with a call to count."""

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        ctx.calls.observe("Fake", "GetSecret", None)
        return await super().open(spec, ctx)


class Page:
    """A scraped page in the text format."""

    def __init__(self, text: str) -> None:
        self.families: dict[str, dict[str, Any]] = {}
        #: Label values and value of each sample by its name; those of buckets are left out.
        self.samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        current = ""
        for line in text.splitlines():
            if line.startswith("# HELP "):
                _, _, current, documentation = line.split(" ", 3)
                self.families[current] = {"type": "", "help": documentation, "labels": [], "buckets": []}
            elif line.startswith("# TYPE "):
                assert line.split()[2] == current
                self.families[current]["type"] = line.split()[3]
            else:
                match = _SAMPLE.match(line)
                assert match is not None, line
                self._add(self.families[current], match[1], dict(_LABEL.findall(match[2] or "")), match[3])

    def _add(self, family: dict[str, Any], name: str, labels: dict[str, str], value: str) -> None:
        bound = labels.pop("le", None)
        family["labels"] = list(labels)
        if bound is None:
            self.samples.setdefault(name, []).append((labels, float(value)))
        elif bound not in family["buckets"]:
            family["buckets"].append(bound)

    def shown(self) -> set[str]:
        """Families that have a series."""
        suffixes = ("", "_count")
        return {name for name in self.families if any(name + suffix in self.samples for suffix in suffixes)}


async def _scrape(operator: Operator) -> Page:
    assert operator.manager.metrics_server is not None
    url = f"http://127.0.0.1:{operator.manager.metrics_server.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return Page(await answer.text())


async def test_the_page_is_the_one_that_dashboards_and_alerts_were_made_for() -> None:
    """Every family of the golden file is there with its type, help, labels and buckets; per-controller series from 0."""
    async with running(start=False) as cluster:
        registry = Registry(plugins=())
        registry.register(CountingProvider(Probe()))
        options = OperatorOptions(
            metrics_addr="127.0.0.1:0",
            leader_election=LeaderElectionOptions("external-secrets-controller", namespace="t"),
        )
        operator = Operator(cluster.kube.config, options, providers=registry)
        async with TaskScope("operator under test") as scope:
            scope.spawn(operator.run(), name="operator")

            async def leads() -> bool:
                status = operator.manager.metrics.leader_status.series().values()
                return operator.manager.ready and any(child.value for child in status)

            await cluster.eventually(leads)
            page = await _scrape(operator)
            for name in BY_CONTROLLER:
                count = name + "_count" if GOLDEN[name]["type"] == "histogram" else name
                assert {labels["controller"] for labels, _ in page.samples[count]} >= CONTROLLERS, name
            assert {
                (labels["controller"], labels["result"], value)
                for labels, value in page.samples["controller_runtime_reconcile_total"]
            } >= {
                (controller, result, 0.0)
                for controller in CONTROLLERS
                for result in ("error", "requeue", "requeue_after", "success")
            }

            await cluster.fake({"k": "1"})
            await cluster.fake({"k": "1"}, name="own", kind=SS, namespace="t")
            await cluster.es("app", data=[{"secretKey": "a", "remoteRef": {"key": "k"}}])
            await cluster.es("broken", data=[{"secretKey": "a", "remoteRef": {"key": "missing"}}])
            await cluster.synced("app")
            await cluster.client.create(PUSH)

            async def everything_happened() -> Page:
                page = await _scrape(operator)
                assert set(GOLDEN) <= page.shown(), set(GOLDEN) - page.shown()
                return page

            page = await cluster.eventually(everything_happened)
            operator.manager.stop()
    assert {name: page.families[name] for name in GOLDEN} == GOLDEN
    for name in ("workqueue_depth", "workqueue_adds_total"):
        assert all(labels["name"] == labels["controller"] for labels, _ in page.samples[name])
    assert {labels["priority"] for labels, _ in page.samples["workqueue_depth"]} >= {""}
    assert page.samples["leader_election_master_status"] == [({"name": "external-secrets-controller"}, 1.0)]
    methods = {labels["method"] for labels, _ in page.samples["rest_client_requests_total"]}
    assert methods >= {"GET", "POST", "PATCH"}
    conditions = {
        (labels["name"], labels["condition"], labels["status"]): value
        for labels, value in page.samples["externalsecret_status_condition"]
    }
    assert conditions[("app", "Ready", "True")] == conditions[("broken", "Ready", "False")] == 1.0
    assert conditions[("app", "Ready", "False")] == conditions[("broken", "Ready", "True")] == 0.0
