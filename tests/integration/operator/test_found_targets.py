"""Secrets that stand where a target should go, and that cannot, or may not, become it."""

from __future__ import annotations

from eso_core.client import ApiRequest
from eso_core.meta.errors import ApiError
from eso_core.meta.wellknown import SECRET
from tests.integration.operator.harness import ES, JsonObject, running

DATA: list[JsonObject] = [{"secretKey": "a", "remoteRef": {"key": "a"}}]


async def test_an_immutable_secret_of_somebody_is_left_alone_and_outlives_the_external_secret() -> None:
    """It gets no mark of ours: with an owner reference it would be collected with the ExternalSecret. Deleted, it is made."""
    async with running() as cluster:
        await cluster.fake({"a": "alpha"})
        found = await cluster.secret("target", {"theirs": "frozen"}, immutable=True)
        await cluster.es("app", target={"name": "target"}, data=DATA)
        await cluster.failed("app", "could not update secret, target is immutable")
        text = await cluster.has_event("app", "Warning", "UpdateFailed", "secret is immutable")
        assert "unable to update secret target: " in text and "delete it, or name another with spec.target.name" in text
        assert await cluster.get(SECRET, "target") == found
        await cluster.es("switched", target={"name": "target", "immutable": True}, data=DATA)
        await cluster.failed("switched", "could not update secret, target is immutable")
        for name in ("app", "switched"):
            await cluster.delete(ES, name)

            async def gone(name: str = name) -> bool:
                return await cluster.get(ES, name) is None

            await cluster.eventually(gone)
        await cluster.quiet()
        assert await cluster.get(SECRET, "target") == found
        await cluster.es("app", target={"name": "target"}, data=DATA)
        await cluster.failed("app", "could not update secret, target is immutable")
        await cluster.delete(SECRET, "target")
        await cluster.has_data("target", {"a": "alpha"})
        await cluster.synced("app")


async def test_an_immutable_target_never_freezes_the_values_of_somebody_else() -> None:
    """A Secret made by hand is taken over as without `immutable`: Ready means that it holds the values of the store."""
    async with running() as cluster:
        await cluster.fake({"a": "alpha"})
        await cluster.secret("target", {"theirs": "value"})
        await cluster.es("app", target={"name": "target", "immutable": True}, data=DATA)
        await cluster.synced("app")
        assert await cluster.data("target") == {"a": "alpha"}
        assert (await cluster.get(SECRET, "target") or {})["immutable"] is True
        await cluster.has_event("app", "Warning", "KeysRemoved", "theirs")
        await cluster.set_fake({"a": "newer"})
        await cluster.poke("app")
        await cluster.synced("app")
        assert await cluster.data("target") == {"a": "alpha"}, "written once"


async def test_a_refused_write_is_told_once() -> None:
    """One event, with the name of the Secret; it is written as soon as the right is there."""
    async with running() as cluster:
        await cluster.fake({"a": "alpha"})

        def refuse(request: ApiRequest) -> None:
            if request.method == "POST" and "/secrets" in request.path:
                raise ApiError.from_response("POST", request.path, 403, b"", {})

        cluster.fault = refuse
        await cluster.es("app", target={"name": "target"}, data=DATA)
        await cluster.failed("app", "could not update secret")
        cluster.fault = lambda request: None
        await cluster.has_data("target", {"a": "alpha"})
        await cluster.synced("app")
        warnings = {message for kind, _, message in await cluster.events("app") if kind == "Warning"}
        assert len(warnings) == 1 and warnings.pop().startswith("unable to update secret target: POST ")
