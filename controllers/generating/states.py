"""GeneratorStates: what was made outside for an owner, and when it may go.

Of each generator that an owner uses, the newest state before a refresh is kept beside the one that the refresh makes, so that whoever still
uses the last values may go on; older ones get a deadline. States of generators that the owner does not use any more get one as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from controllers.externalsecret.names import digest
from controllers.generating.references import Source, source_of
from eso_core.cache import Cache
from eso_core.cache.client import CachedClient
from eso_core.client import MergePatch
from eso_core.meta import GVK, JsonObject, ObjectKey, format_time
from eso_core.meta.errors import NotFound
from generators.interface import GROUP, VERSION

__all__ = ["GENERATOR_STATE", "OWNER_INDEX", "OWNER_KEY_LABEL", "States", "by_owner"]

GENERATOR_STATE: Final = GVK(GROUP, VERSION, "GeneratorState")
OWNER_INDEX: Final = "owner"
OWNER_KEY_LABEL: Final = "generators.external-secrets.io/owner-key"
_NAME_LIMIT: Final = 200


def by_owner(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: states by the uids of their owners."""
    return {reference.uid for reference in meta.owner_references}


@dataclass(frozen=True, slots=True)
class NewState:
    """What a generator made outside in this pass."""

    key: str
    resource: JsonObject = field(repr=False)
    state: JsonObject = field(repr=False)


class States:
    """Keeps the states of owners.

    Args:
        cache: Has an informer of GeneratorStates, indexed by `by_owner`.
        client: Writes; the cache learns of them.
        grace: For how long replaced values stay good, seconds.
    """

    def __init__(self, cache: Cache, client: CachedClient, *, grace: float) -> None:
        self._cache = cache
        self._client = client
        self._grace = grace

    def any_of(self, owner: JsonObject) -> bool:
        """Whether states of an owner are kept; costs no request."""
        informer = self._cache.informer(GENERATOR_STATE)
        return informer.synced and bool(informer.select(index=(OWNER_INDEX, owner["metadata"].get("uid") or "")))

    async def release(self, owner: JsonObject, used: Mapping[Source, int], now: datetime) -> None:
        """New values are in place: let go of what was made before the ones that they replaced.

        Args:
            owner: ExternalSecret or PushSecret.
            used: How many references to each generator it has.
            now: This instant.

        Raises:
            EsoCoreError: A state cannot be written.
        """
        known = await self._of(owner)
        for source, states in known.items():
            for state in states[used.get(source, 0) :]:
                await self._set_deadline(state, now + timedelta(seconds=self._grace))

    async def store(self, owner: JsonObject, new: NewState) -> None:
        """Record what was made for values that are in place.

        Raises:
            EsoCoreError: It cannot be written.
        """
        await self._create(owner, new, None)

    async def keep_for_cleanup(self, owner: JsonObject, new: NewState, now: datetime) -> None:
        """Store a state that could not be taken back at once: the collector tries again."""
        await self._create(owner, new, now)

    async def _of(self, owner: JsonObject) -> dict[Source, list[JsonObject]]:
        """The owner's states without a deadline, by source, newest first."""
        found: defaultdict[Source, list[JsonObject]] = defaultdict(list)
        uid = owner["metadata"].get("uid") or ""
        for state in await self._cache.list(GENERATOR_STATE, index=(OWNER_INDEX, uid)):
            if state["metadata"].get("deletionTimestamp") or (state.get("spec") or {}).get("garbageCollectionDeadline"):
                continue
            found[source_of(state["spec"].get("resource") or {})].append(state)
        for states in found.values():
            states.sort(key=_age, reverse=True)
        return found

    async def _set_deadline(self, state: JsonObject, deadline: datetime) -> None:
        patch = MergePatch({"spec": {"garbageCollectionDeadline": format_time(deadline)}})
        try:
            await self._client.patch(GENERATOR_STATE, ObjectKey.of(state), patch)
        except NotFound:
            return

    async def _create(self, owner: JsonObject, new: NewState, deadline: datetime | None) -> None:
        metadata = owner["metadata"]
        kind, name, namespace = owner["kind"], metadata["name"], metadata["namespace"]
        prefix = f"gen-{kind.lower()}-{name}"[:_NAME_LIMIT]
        spec: JsonObject = {"resource": new.resource, "state": new.state}
        if deadline is not None:
            spec["garbageCollectionDeadline"] = format_time(deadline)
        await self._client.create(
            {
                "apiVersion": GENERATOR_STATE.api_version,
                "kind": GENERATOR_STATE.kind,
                "metadata": {
                    "generateName": f"{prefix}-",
                    "namespace": namespace,
                    "labels": {OWNER_KEY_LABEL: digest(f"{kind}-{namespace}-{name}-{new.key}")},
                    "ownerReferences": [
                        {"apiVersion": owner["apiVersion"], "kind": kind, "name": name, "uid": metadata["uid"]}
                    ],
                },
                "spec": spec,
            }
        )


def _age(state: JsonObject) -> tuple[str, int]:
    """Creation times have whole seconds: of the same one, the later version is the newer."""
    metadata = state["metadata"]
    version = metadata.get("resourceVersion") or ""
    return metadata.get("creationTimestamp") or "", int(version) if version.isdigit() else 0
