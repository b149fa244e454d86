"""Random edits, deletions and failures; at the end the stores hold exactly what the objects say."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from eso_core.meta import ObjectKey
from eso_core.meta.errors import NotFound
from eso_core.meta.wellknown import SECRET
from providers.errors import Unavailable
from tests.integration.operator.harness import CSS, SS, JsonObject
from tests.integration.pushsecret.harness import HOLD, PS, PushCluster, entry, pushing

STORES = {"a": (SS, {"zone": "1"}), "b": (SS, {"zone": "2"}), "c": (CSS, {"zone": "1"})}
SOURCES = ("s0", "s1", "s2", "s3")
OBJECTS = ("p0", "p1", "p2", "p3", "p4")
STEPS = 120


class Storm:
    """One run; every PushSecret deletes what it no longer pushes, and writes to keys of its own."""

    def __init__(self, push: PushCluster, seed: int) -> None:
        self.push = push
        self.random = random.Random(seed)
        self.cluster = push.cluster

    async def step(self) -> None:
        choose = self.random.choice
        match self.random.randrange(7):
            case 0 | 1:
                await self.secret(choose(SOURCES))
            case 2:
                await self.drop(SECRET, choose(SOURCES))
            case 3 | 4:
                await self.object(choose(OBJECTS))
            case 5:
                await self.drop(PS, choose(OBJECTS))
            case _:
                self.push.backend.failure = choose([None, None, Unavailable("sealed")])
        if self.random.random() < 0.5:
            await asyncio.sleep(self.random.random() * 0.05)

    async def secret(self, name: str) -> None:
        data = {key: str(self.random.randrange(1000)) for key in self.random.sample("wxyz", 2)}
        labels = {"group": self.random.choice("12")}
        if await self.cluster.get(SECRET, name) is None:
            await self.cluster.secret(name, data, metadata={"name": name, "namespace": "t", "labels": labels})
        else:
            await self.cluster.patch(SECRET, name, {"metadata": {"labels": labels}, "stringData": data})

    async def object(self, name: str) -> None:
        spec = self.spec(name)
        found = await self.cluster.get(PS, name)
        if found is None:
            await self.push.push(name, **spec)
        elif "deletionTimestamp" not in found["metadata"]:
            try:
                await self.cluster.client.update({**found, "spec": spec})
            except Exception as error:  # the operator writes it too
                assert getattr(error, "code", 0) in (404, 409), error

    def spec(self, name: str) -> JsonObject:
        refs: list[JsonObject] = [{"name": "a"}]
        if self.random.random() < 0.5:
            refs.append({"kind": "ClusterSecretStore", "labelSelector": {"matchLabels": {"zone": "1"}}})
        if self.random.random() < 0.3:
            refs = [{"name": "b"}]
        body: JsonObject = {"refreshInterval": "1h", "deletionPolicy": "Delete", "secretStoreRefs": refs}
        if self.random.random() < 0.4:
            body["selector"] = {"secret": {"selector": {"matchLabels": {"group": self.random.choice("12")}}}}
            body["data"] = [entry("", f"{name}/{{{{ .secretName }}}}")]
        else:
            body["selector"] = {"secret": {"name": self.random.choice(SOURCES)}}
            body["data"] = [entry("", f"{name}/all")]
            if self.random.random() < 0.5:
                body["dataTo"] = [
                    {
                        "storeRef": {"name": refs[0]["name"]},
                        "rewrite": [{"transform": {"template": name + "/{{ .value }}"}}],
                    }
                ]
        return body

    async def drop(self, kind: Any, name: str) -> None:
        try:
            await self.cluster.client.delete(kind, ObjectKey("t", name))
        except NotFound:
            return

    async def expected(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What a fresh look at the objects says."""
        secrets = {}
        for name in SOURCES:
            obj = await self.cluster.get(SECRET, name)
            if obj is not None:
                secrets[name] = (await self.cluster.data(name), obj["metadata"].get("labels") or {})
        wanted: dict[str, dict[str, dict[str, Any]]] = {store: {} for store in STORES}
        for name in OBJECTS:
            obj = await self.cluster.get(PS, name)
            if obj is None:
                continue
            spec = obj["spec"]
            for store in self.stores(spec["secretStoreRefs"]):
                for key, value in self.values(spec, secrets, store):
                    wanted[store][key] = {"": value}
        return wanted

    def stores(self, refs: list[JsonObject]) -> set[str]:
        return {ref.get("name", "c") for ref in refs}

    def values(self, spec: JsonObject, secrets: JsonObject, store: str) -> list[tuple[str, Any]]:
        selector = spec["selector"]["secret"]
        made = []
        for name, (data, labels) in secrets.items():
            chosen = (
                name == selector["name"]
                if "name" in selector
                else labels["group"] == selector["selector"]["matchLabels"]["group"]
            )
            if not chosen:
                continue
            made.append((spec["data"][0]["match"]["remoteRef"]["remoteKey"].replace("{{ .secretName }}", name), data))
            for to in spec.get("dataTo") or ():
                if to["storeRef"]["name"] == store:
                    prefix = to["rewrite"][0]["transform"]["template"].partition("/")[0]
                    made += [(f"{prefix}/{key}", value) for key, value in data.items()]
        return made


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_a_storm_the_stores_hold_what_the_objects_say(seed: int) -> None:
    """Nothing more, nothing less; and only stores that are needed are held."""
    async with pushing() as push:
        for name, (kind, labels) in STORES.items():
            await push.store(name, kind=kind, labels=labels)
        storm = Storm(push, seed)
        for name in SOURCES:
            await storm.secret(name)
        for _ in range(STEPS):
            await storm.step()
        push.backend.failure = None
        for name in OBJECTS:
            # What failed waits for its back-off; a touch has it tried now.
            if await push.cluster.get(PS, name) is not None:
                await push.cluster.patch(PS, name, {"metadata": {"annotations": {"touch": "now"}}})

        async def right() -> None:
            assert {store: push.backend.held(store) for store in STORES} == await storm.expected()

        await push.cluster.eventually(right, within=20.0)
        assert {write[0] for write in push.backend.writes} == {"push", "delete"}
        for name, (kind, _) in STORES.items():
            needed = any(
                name in storm.stores(obj["spec"]["secretStoreRefs"])
                for obj in [await push.cluster.get(PS, one) for one in OBJECTS]
                if obj is not None
            )

            async def held(name: str = name, kind: Any = kind, needed: bool = needed) -> bool:
                store = await push.cluster.get(kind, name)
                assert store is not None
                return (HOLD in (store["metadata"].get("finalizers") or ())) == needed

            await push.cluster.eventually(held)
