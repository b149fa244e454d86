"""When generated values are made anew, and when they are not."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from controllers.api import all_crds
from eso_core.client import MergePatch
from eso_core.meta import ObjectKey, parse_time
from generators.interface import Generated, Generator, GeneratorContext
from generators.registry import GeneratorRegistry
from generators.spec import GeneratorSpec
from tests.integration.operator.harness import ES, Cluster, JsonObject, operating, running

API = "generators.external-secrets.io/v1alpha1"
FLUX = "kustomize.toolkit.fluxcd.io/checksum"


async def generator(cluster: Cluster, kind: str, name: str = "g", **spec: Any) -> JsonObject:
    metadata = {"name": name, "namespace": "t"}
    await cluster.client.create({"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec})
    return {"sourceRef": {"generatorRef": {"apiVersion": API, "kind": kind, "name": name}}}


async def status(cluster: Cluster, name: str) -> JsonObject:
    found: JsonObject = (await cluster.client.get(ES, ObjectKey("t", name)))["status"]
    return found


@pytest.mark.parametrize("labels", [{}, {FLUX: "1"}])
@pytest.mark.parametrize("policy", ["Periodic", "OnChange"])
async def test_b076_a_tools_note_to_itself_changes_no_password(labels: dict[str, str], policy: str) -> None:
    """B076: neither the first one nor the next; the recorded version is that of the object as it is."""
    async with running() as cluster:
        entry = await generator(cluster, "Password")
        await cluster.es("app", dataFrom=[entry], refreshPolicy=policy, metadata={"labels": labels})
        await cluster.synced("app")
        made = await cluster.data("app")
        for change in (
            {"labels": {FLUX: "2"}},
            {"labels": {FLUX: "3", "argocd.argoproj.io/instance": "x"}},
            {"annotations": {"argocd.argoproj.io/tracking-id": "y"}},
            {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
        ):
            await cluster.patch(ES, "app", {"metadata": change})
            await cluster.synced("app")
            await cluster.quiet(0.2)
            assert await cluster.data("app") == made, change
        for change in ({"annotations": {"force-sync": "1"}}, {"labels": {"team": "blue"}}):
            await cluster.patch(ES, "app", {"metadata": change})
            await cluster.synced("app")
            fresh = await cluster.data("app")
            assert fresh != made, change
            made = fresh
        await cluster.patch(ES, "app", {"metadata": {"labels": {FLUX: "4"}}})
        await cluster.synced("app")
        await cluster.quiet(0.2)
        assert await cluster.data("app") == made


async def test_values_of_a_store_follow_every_change_as_before() -> None:
    """The labels of the object are copied to its Secret: reading once more changes nothing else."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es(
            "app", dataFrom=[{"extract": {"key": "k"}}], data=[{"secretKey": "a", "remoteRef": {"key": "k"}}]
        )
        await cluster.eventually(lambda: status(cluster, "app"))
        reads = len(cluster.probe.reads)
        await cluster.patch(ES, "app", {"metadata": {"labels": {FLUX: "1"}}})

        async def read_again() -> None:
            assert len(cluster.probe.reads) > reads

        await cluster.eventually(read_again)


async def test_b021_a_password_that_an_older_operator_made_stays() -> None:
    """B021: refreshInterval 0 and a recorded version of any form: nothing is made anew, not even with new notes of tools."""
    async with running(start=False) as cluster:
        entry = await generator(cluster, "Password")
        await cluster.es("app", dataFrom=[entry], refreshInterval="0", metadata={"labels": {FLUX: "1"}})
        async with operating(cluster):
            await cluster.synced("app")
        made = await cluster.data("app")
        old = {"syncedResourceVersion": "1-0a1b2c", "syncedOwnVersion": None}
        await cluster.client.patch(ES, ObjectKey("t", "app"), MergePatch({"status": old}), subresource="status")
        async with operating(cluster):
            await cluster.quiet()
            assert await cluster.data("app") == made
            assert (await status(cluster, "app"))["syncedResourceVersion"] == "1-0a1b2c"


class ShortLived(Generator):
    """Makes numbered values that last as long as it is told."""

    kind: ClassVar[str] = "GithubAccessToken"
    plural: ClassVar[str] = "githubaccesstokens"
    member: ClassVar[str] = "githubAccessTokenSpec"

    class Anything(GeneratorSpec):
        """All fields."""

    spec: ClassVar[type[GeneratorSpec]] = Anything

    def __init__(self, lifetime: float | None) -> None:
        self.made = 0
        self.lifetime = lifetime

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        self.made += 1
        return Generated({"token": f"t{self.made}".encode()}, lifetime=self.lifetime)


def registered(generator: Generator) -> GeneratorRegistry:
    registry = GeneratorRegistry(plugins=())
    registry.register(generator)
    return registry


def github() -> JsonObject:
    return {"appID": "1", "installID": "2", "auth": {"privateKey": {"secretRef": {"name": "s", "key": "k"}}}}


async def test_b075_what_expires_is_made_anew_before_that() -> None:
    """B075: at two thirds of its life at the latest, whatever the interval; the status says when."""
    tokens = ShortLived(60.0)
    async with running(generators=registered(tokens)) as cluster:
        entry = await generator(cluster, tokens.kind, **github())
        await cluster.es("app", dataFrom=[entry], refreshInterval="1h")
        await cluster.synced("app")
        found = await status(cluster, "app")
        after = (parse_time(found["nextRefreshTime"]) - parse_time(found["refreshTime"])).total_seconds()
        assert 35 <= after <= 40
        tokens.lifetime = 3.0
        await cluster.poke("app")
        await cluster.has_data("app", {"token": "t2"})
        await cluster.has_data("app", {"token": "t3"}, within=5)
        tokens.lifetime = None
        await cluster.has_data("app", {"token": "t4"}, within=5)
        await cluster.synced("app")
        assert "nextRefreshTime" not in await status(cluster, "app")


@pytest.mark.parametrize(
    ("lifetime", "spec"),
    [
        (None, {}),
        (7200.0, {"refreshInterval": "1h"}),
        (60.0, {"refreshInterval": "0"}),
        (60.0, {"refreshPolicy": "OnChange"}),
    ],
)
async def test_b075_an_interval_that_is_short_enough_or_wanted_is_kept(
    lifetime: float | None, spec: dict[str, Any]
) -> None:
    """B075: without a known life, and where the user wants no refreshes."""
    tokens = ShortLived(lifetime)
    async with running(generators=registered(tokens)) as cluster:
        entry = await generator(cluster, tokens.kind, **github())
        await cluster.es("app", dataFrom=[entry], **spec)
        await cluster.synced("app")
        assert "nextRefreshTime" not in await status(cluster, "app")


async def test_b075_the_life_is_known_without_room_in_the_status() -> None:
    """Under the original's definition, which prunes the field."""
    tokens = ShortLived(3.0)
    async with running(generators=registered(tokens), start=False, crds=False) as cluster:
        definitions = all_crds()
        for crd in definitions:
            if crd["spec"]["names"]["plural"] == "externalsecrets":
                schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
                for name in ("nextRefreshTime", "syncedOwnVersion", "observedGeneration", "lastError"):
                    del schema[name]
        await cluster.kube.install(*definitions)
        entry = await generator(cluster, tokens.kind, **github())
        async with operating(cluster, generators=registered(tokens)):
            await cluster.es("app", dataFrom=[entry])
            await cluster.has_data("app", {"token": "t3"}, within=10)
            assert "nextRefreshTime" not in await status(cluster, "app")


async def test_a_restart_asks_for_no_generator_of_what_is_not_due() -> None:
    """Kinds that have a class are read to know whose the object is: with one list, however many objects there are."""
    async with running(start=False) as cluster:
        passwords = await generator(cluster, "Password")
        fakes = await generator(cluster, "Fake", data={"a": "1"})
        for number in range(30):
            await cluster.es(f"p{number}", dataFrom=[passwords])
            await cluster.es(f"f{number}", dataFrom=[fakes])
        async with operating(cluster):
            for number in range(30):
                await cluster.synced(f"p{number}")
                await cluster.synced(f"f{number}")
        made = await cluster.data("p0")
        before = {kind: cluster.requests("get", "list", resource=kind) for kind in ("passwords", "fakes")}
        async with operating(cluster):
            await cluster.quiet()
        after = {kind: cluster.requests("get", "list", resource=kind) for kind in ("passwords", "fakes")}
        assert after["passwords"] == before["passwords"]
        assert after["fakes"] - before["fakes"] < 30
        assert await cluster.data("p0") == made
