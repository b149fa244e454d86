"""A storm over the operator: edits, restarts, 410s, half-open connections, a backend that is slow and fails.

When it is over, everything must be as a fresh computation says. The whole form takes ten minutes and a thousand objects::

    python -m tests.chaos.storm --minutes 10 --objects 1000 --seed 1

It prints what happened as JSON and ends with 1 when something is not as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from controllers.api import all_crds
from eso_core.client import Client, MergePatch, config_from_kubeconfig
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import AlreadyExists, EsoCoreError, NotFound
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.faults import FaultProxy
from tests.chaos.operator import Stormed, stormed

__all__ = ["Report", "Storm", "storm"]

JsonObject = dict[str, Any]

ES = GVK("external-secrets.io", "v1", "ExternalSecret")
STORE = GVK("external-secrets.io", "v1", "ClusterSecretStore")
MANAGED = "reconcile.external-secrets.io/managed=true"
NAMESPACES = ("storm-a", "storm-b", "storm-c")
KEYS = tuple(f"key-{index}" for index in range(20))
FOREIGN = 20
FAULTS = ("restart", "compaction", "frozen", "half-open", "reset", "refused", "slow backend", "failing backend")


@dataclass(slots=True)
class Report:
    """What happened, and what is wrong at the end (nothing, if all is well)."""

    seed: int
    objects: int
    seconds: float
    settled: float = 0.0
    """Seconds from the end of the storm until everything was right."""
    struck: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    memory: list[float] = field(default_factory=list)
    """Resident MiB of the operator, every few seconds of the storm."""
    wrong: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Memory of the last quarter over that of the second: 1.0 is flat."""
        quarter = len(self.memory) // 4
        if not quarter:
            return 1.0
        before, after = self.memory[quarter : 2 * quarter], self.memory[-quarter:]
        return (sum(after) / len(after)) / (sum(before) / len(before))

    def shown(self) -> JsonObject:
        """The report as JSON; of what is wrong the first twenty."""
        return {
            "seed": self.seed,
            "objects": self.objects,
            "seconds": self.seconds,
            "settled": round(self.settled, 1),
            "struck": dict(self.struck),
            "reads": self.reads,
            "memory": [round(sample, 1) for sample in self.memory],
            "growth": round(self.growth, 3),
            "wrong": len(self.wrong),
            "first": self.wrong[:20],
        }


class Storm:
    """The cluster, what should be in it, and what can strike it."""

    def __init__(self, objects: int, seed: int, refresh: str) -> None:
        self.rng = random.Random(seed)
        self.refresh = refresh
        self.values = {key: f"{key}-0" for key in KEYS}
        #: Which backend key each living object shows.
        self.wanted: dict[ObjectKey, str] = {}
        self.names = [ObjectKey(self.rng.choice(NAMESPACES), f"es-{index}") for index in range(objects)]
        self.foreign: dict[tuple[GVK, ObjectKey], JsonObject] = {}
        self.struck: Counter[str] = Counter()
        self._edits = 0
        self._deck: list[str] = []

    # -- the cluster -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the server and fill it."""
        self.server = await ApiServer.start(_options(0))
        self.port = int(self.server.url.rpartition(":")[2])
        for crd in all_crds():
            self.server.install(crd)
        self.client = Client(config_from_kubeconfig(self.server.kubeconfig()), user_agent="storm")
        for namespace in NAMESPACES:
            await self.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        await self._plant()
        await self.client.create(
            {
                "apiVersion": STORE.api_version,
                "kind": STORE.kind,
                "metadata": {"name": "fake"},
                "spec": {"provider": {"fake": {"data": self._data()}}},
            }
        )
        for key in self.names:
            await self._create(key)

    async def _plant(self) -> None:
        """Objects that are none of the operator's business."""
        for index in range(FOREIGN):
            for kind in (SECRET, CONFIG_MAP):
                key = ObjectKey(self.rng.choice(NAMESPACES), f"foreign-{index}")
                metadata = {"name": key.name, "namespace": key.namespace}
                body = {"apiVersion": "v1", "kind": kind.kind, "metadata": metadata, "data": {"a": "MQ=="}}
                self.foreign[kind, key] = await self.client.create(body)

    async def close(self) -> None:
        await self.client.aclose()
        await self.server.aclose()

    def _data(self) -> list[JsonObject]:
        return [{"key": key, "value": value} for key, value in self.values.items()]

    async def _create(self, key: ObjectKey) -> None:
        shown = self.rng.choice(KEYS)
        spec = {
            "secretStoreRef": {"kind": STORE.kind, "name": "fake"},
            "refreshInterval": self.refresh,
            "data": [{"secretKey": "value", "remoteRef": {"key": shown}}],
        }
        metadata = {"name": key.name, "namespace": key.namespace}
        await self.client.create({"apiVersion": ES.api_version, "kind": ES.kind, "metadata": metadata, "spec": spec})
        self.wanted[key] = shown

    # -- what strikes ------------------------------------------------------------------------------------------------

    async def edit(self) -> None:
        """One random change by a user."""
        self._edits += 1
        key = self.rng.choice(self.names)
        what = self.rng.choice(("point", "annotate", "tamper", "remove secret", "delete", "backend"))
        self.struck[what] += 1
        if what == "backend":
            changed = self.rng.choice(KEYS)
            self.values[changed] = f"{changed}-{self._edits}"
            patch = MergePatch({"spec": {"provider": {"fake": {"data": self._data()}}}})
            await self.client.patch(STORE, ObjectKey("", "fake"), patch)
        elif key not in self.wanted:
            try:
                await self._create(key)
            except AlreadyExists:
                self.struck["create: not yet gone"] += 1
        elif what == "point":
            shown = self.rng.choice(KEYS)
            entry = {"secretKey": "value", "remoteRef": {"key": shown}}
            await self.client.patch(ES, key, MergePatch({"spec": {"data": [entry]}}))
            self.wanted[key] = shown
        elif what == "annotate":
            note = {"metadata": {"annotations": {"storm": str(self._edits)}}}
            await self.client.patch(ES, key, MergePatch(note))
        elif what == "delete":
            await self.client.delete(ES, key)
            del self.wanted[key]
        else:
            await self._spoil(key, what)

    async def _spoil(self, key: ObjectKey, what: str) -> None:
        try:
            if what == "tamper":
                await self.client.patch(SECRET, key, MergePatch({"data": {"value": "c3Rvcm0=", "more": "eA=="}}))
            else:
                await self.client.delete(SECRET, key)
        except NotFound:
            self.struck[f"{what}: not there"] += 1

    async def restart(self) -> None:
        """The API server goes down and comes back with the same objects."""
        self.struck["restart"] += 1
        snapshot = self.server.snapshot()
        await self.server.aclose()
        await asyncio.sleep(self.rng.random() * 0.5)
        self.server = await ApiServer.start(_options(self.port, snapshot))

    async def strike(self, proxy: FaultProxy, operator: Stormed, longest: float) -> None:
        """One random fault of the surroundings, until it is over."""
        rng = self.rng
        if not self._deck:
            # Each once, in any order, before one comes again.
            self._deck = rng.sample(FAULTS, len(FAULTS))
        what = self._deck.pop()
        if what != "restart":
            self.struck[what] += 1
        spell = rng.random() * longest
        match what:
            case "restart":
                await self.restart()
            case "compaction":
                self.server.compact()
                proxy.reset()
            case "frozen" | "half-open":
                if what == "frozen":
                    proxy.freeze()
                else:
                    proxy.swallow()
                await self._edits_for(spell)
                if rng.random() < 0.5:
                    proxy.reset()
                proxy.thaw()
            case "reset":
                proxy.reset()
            case "refused":
                await proxy.refuse()
                proxy.reset()
                await self._edits_for(spell)
                await proxy.restore()
            case "slow backend":
                operator.weather(delay=1.0)
                await self._edits_for(spell)
                operator.weather()
            case _:
                operator.weather(failing=rng.random())
                await self._edits_for(spell)
                operator.weather()

    async def _edits_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.edit()
            await asyncio.sleep(0.05)

    # -- what should be ----------------------------------------------------------------------------------------------

    async def faults(self) -> list[str]:
        """Everything that is not as a fresh computation says."""
        found: list[str] = []
        objects = {ObjectKey.of(item): item for item in (await self.client.list(ES)).items}
        secrets = {ObjectKey.of(item): item for item in (await self.client.list(SECRET, label_selector=MANAGED)).items}
        found += [f"{key}: lost" for key in self.wanted.keys() - objects.keys()]
        found += [f"{key}: still there" for key in objects.keys() - self.wanted.keys()]
        found += [f"{key}: its Secret is left over" for key in secrets.keys() - self.wanted.keys()]
        for key, shown in self.wanted.items():
            want = {"value": base64.b64encode(self.values[shown].encode()).decode()}
            if (secrets.get(key) or {}).get("data") != want:
                found.append(f"{key}: its Secret does not show {shown}")
            conditions = ((objects.get(key) or {}).get("status") or {}).get("conditions") or []
            if [c["status"] for c in conditions if c["type"] == "Ready"] != ["True"]:
                found.append(f"{key}: is not Ready")
        for (kind, key), planted in self.foreign.items():
            if await self.client.get(kind, key) != planted:
                found.append(f"{kind.kind} {key}: a foreign object was touched")
        return sorted(found)


def _options(port: int, snapshot: Any = None) -> ApiServerOptions:
    return ApiServerOptions(
        port=port, tls=False, snapshot=snapshot, window_changes=5_000, request_log=100, event_ttl=60.0
    )


async def storm(
    *, objects: int, seconds: float, seed: int, refresh: str, longest: float = 1.0, patience: float = 30.0
) -> Report:
    """Runs the operator through a storm.

    Args:
        seconds: How long it lasts.
        refresh: Refresh interval of the objects.
        longest: Seconds that one fault lasts at most.
        patience: Seconds after the storm until which everything must be right.
    """
    report = Report(seed, objects, seconds)
    world = Storm(objects, seed, refresh)
    await world.open()
    try:
        async with FaultProxy(world.server.url) as proxy:
            async with stormed(world.server.kubeconfig(), server=proxy.url, seed=seed) as operator:
                await _blow(world, proxy, operator, report, longest)
                await _settle(world, report, patience)
            report.reads = operator.reads
    finally:
        await world.close()
    report.struck = world.struck
    return report


async def _blow(world: Storm, proxy: FaultProxy, operator: Stormed, report: Report, longest: float) -> None:
    end = time.monotonic() + report.seconds
    every = max(report.seconds / 100, 0.2)
    sampled = time.monotonic()
    while time.monotonic() < end or not all(world.struck[fault] for fault in FAULTS):
        await world._edits_for(0.3)
        await world.strike(proxy, operator, longest)
        if time.monotonic() - sampled >= every:
            sampled = time.monotonic()
            report.memory.append(operator.resident())


async def _settle(world: Storm, report: Report, patience: float) -> None:
    began = time.monotonic()
    while True:
        try:
            report.wrong = await world.faults()
        except EsoCoreError as error:
            report.wrong = [f"looking: {error}"]
        report.settled = time.monotonic() - began
        if not report.wrong or report.settled > patience:
            return
        await asyncio.sleep(0.25)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refresh", default="30s", help="refresh interval of the objects")
    parser.add_argument("--longest", type=float, default=20.0, help="seconds that one fault lasts at most")
    args = parser.parse_args(arguments)
    report = asyncio.run(
        storm(
            objects=args.objects,
            seconds=args.minutes * 60,
            seed=args.seed,
            refresh=args.refresh,
            longest=args.longest,
            patience=180.0,
        )
    )
    sys.stdout.write(json.dumps(report.shown(), indent=2) + "\n")
    return 1 if report.wrong or report.growth > 1.15 else 0


if __name__ == "__main__":
    sys.exit(main())
