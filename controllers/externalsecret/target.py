"""The target Secret in the cluster: found in the cache, written and deleted with preconditions.

Two informers know about Secrets: `managed` holds whole Secrets that carry the managed label, the other the metadata of
all Secrets. They see the same event at different moments, so where they disagree the one that has read further is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from controllers.concealed import Concealed
from controllers.externalsecret.errors import TargetImmutable
from controllers.externalsecret.names import (
    CREATED_BY_LABEL,
    DATA_HASH_ANNOTATION,
    OWNER_KIND,
    data_hash,
    field_manager,
    owner_label_value,
)
from controllers.externalsecret.plan import Plan
from controllers.externalsecret.render import Owner, decode_data, is_frozen, is_managed, same_secret
from eso_core.cache import Cache, CachedClient
from eso_core.cache.store import is_older
from eso_core.client import Client, Preconditions
from eso_core.controller import StaleCache
from eso_core.meta import JsonObject, ObjectKey, Partial
from eso_core.meta.errors import NotFound
from eso_core.meta.owners import controller_of
from eso_core.meta.wellknown import SECRET

__all__ = ["MANAGED_VIEW", "OWNER_INDEX", "KeyChanges", "Target", "Targets", "created_by_index", "key_changes"]

MANAGED_VIEW: Final = "managed"
OWNER_INDEX: Final = "created-by"
SECRETS: Final = Partial(SECRET)


class Target(Concealed, Struct, frozen=True):
    """What is known of a target without asking the server.

    Attributes:
        secret: The Secret if it is managed.
        foreign: Whether a Secret without the managed label has the target's name.
    """

    secret: JsonObject | None = None
    foreign: bool = False

    @property
    def exists(self) -> bool:
        """Whether any Secret has the target's name."""
        return self.foreign or self.secret is not None


class KeyChanges(Struct, frozen=True):
    """Names of data keys by what a write does to them."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]
    emptied: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.removed or self.emptied)


class OwnWrites:
    """The last version of each target that we wrote, so that the watch's echo of it wakes nobody.

    An echo that overtakes the answer to its write goes unrecognised and costs a look at the object, no more.
    """

    def __init__(self) -> None:
        self._versions: dict[ObjectKey, str] = {}

    def note(self, secret: JsonObject) -> None:
        """Remember a write by what the server answered."""
        metadata = secret["metadata"]
        self._versions[ObjectKey(metadata["namespace"], metadata["name"])] = metadata["resourceVersion"]

    def is_echo(self, key: ObjectKey, version: str) -> bool:
        """Whether this is the state that we wrote; asked once per write."""
        if self._versions.get(key) != version:
            return False
        del self._versions[key]
        return True

    def forget(self, key: ObjectKey) -> None:
        """Drop what is known of a target that is gone."""
        self._versions.pop(key, None)


class Targets:
    """Reads targets from the cache and writes them through the client.

    Args:
        cache: Has the informers of Secrets.
        client: Writes; the cache learns of them.
        api: Live reads.
        writes: Told of every write.
    """

    def __init__(self, cache: Cache, client: CachedClient, api: Client, writes: OwnWrites) -> None:
        self._cache = cache
        self._client = client
        self._api = api
        self._writes = writes

    async def find(self, key: ObjectKey) -> Target:
        """The target as the cache has it.

        Raises:
            StaleCache: the whole Secret has not arrived yet; its event is about to wake the object again.
        """
        known = self._cache.peek(SECRETS, key)
        try:
            secret: JsonObject = await self._cache.get(SECRET, key, view=MANAGED_VIEW)
        except NotFound:
            if known is None:
                return Target()
            if not is_managed({"labels": known.meta.labels}):
                return Target(foreign=True)
            version = self._cache.informer(SECRET, MANAGED_VIEW).version(key.namespace)
            if is_older(version, known.resource_version):
                raise StaleCache(f"Secret {key} is known, but its data has not arrived yet") from None
            return Target()  # the managed informer has read past this state: the Secret is gone, or lost its label
        if known is None:
            version = self._cache.informer(SECRETS).version(key.namespace)
            if version and not is_older(version, secret["metadata"]["resourceVersion"]):
                return Target()
        return Target(secret)

    async def read(self, key: ObjectKey) -> JsonObject | None:
        """The Secret from the server, for one that is not managed yet."""
        try:
            secret: JsonObject = await self._api.get(SECRET, key)
        except NotFound:
            return None
        return secret

    async def create(self, secret: JsonObject, owner: Owner) -> None:
        """Create the Secret.

        Raises:
            ApiError: `AlreadyExists` when somebody was faster.
        """
        self._writes.note(await self._client.create(secret, field_manager=field_manager(owner.name)))

    async def update(self, secret: JsonObject, existing: JsonObject, owner: Owner, *, written: bool = True) -> bool:
        """Write the Secret over `existing` unless nothing differs; whether there was a write.

        Of a Secret that the API holds immutable only the metadata is written, and nothing where we have not `written` it
        before: with our mark as its owner it would go when the ExternalSecret goes.

        Raises:
            TargetImmutable: data or type of an immutable Secret would change (metadata of our own has been written).
            ApiError: `Conflict` when it changed since it was read.
        """
        frozen = is_frozen(secret, existing)
        name = secret["metadata"]["name"]
        if frozen and not written:
            raise TargetImmutable(
                f"unable to update secret {name}: secret is immutable, and this ExternalSecret has not made it: "
                "delete it, or name another with spec.target.name"
            )
        wanted = secret
        if frozen:
            wanted = {**secret, "data": existing.get("data"), "type": existing.get("type")}
            wanted = {name: value for name, value in wanted.items() if value is not None}
            annotations = {**secret["metadata"]["annotations"], DATA_HASH_ANNOTATION: data_hash(decode_data(existing))}
            wanted["metadata"] = {**secret["metadata"], "annotations": annotations}
        changed = not same_secret(wanted, existing)
        if changed:
            body = {**wanted, "metadata": {k: v for k, v in wanted["metadata"].items() if k != "managedFields"}}
            self._writes.note(await self._client.update(body, field_manager=field_manager(owner.name)))
        if frozen:
            raise TargetImmutable(f"unable to update secret {name}: secret is immutable")
        return changed

    async def delete(self, secret: JsonObject) -> None:
        """Delete exactly this state of the Secret; gone already is success.

        Raises:
            ApiError: `Conflict` when it changed or was replaced since it was read.
        """
        metadata = secret["metadata"]
        key = ObjectKey(metadata["namespace"], metadata["name"])
        self._writes.forget(key)
        try:
            await self._client.delete(
                SECRET,
                key,
                preconditions=Preconditions(metadata.get("uid"), metadata.get("resourceVersion")),
            )
        except NotFound:
            return

    async def orphans(self, plan: Plan) -> list[JsonObject]:
        """Secrets that this ExternalSecret owns besides its target.

        The label alone proves nothing: people copy Secrets with their labels. The controller reference must be ours too.
        """
        owner = plan.owner
        value = owner_label_value(owner.namespace, owner.name)
        found: list[JsonObject] = []
        keys = await self._cache.keys(SECRET, index=(OWNER_INDEX, value), view=MANAGED_VIEW)
        for key in keys:
            if key.namespace != owner.namespace or key.name == plan.target.name:
                continue
            try:
                secret: JsonObject = await self._cache.get(SECRET, key, view=MANAGED_VIEW)
            except NotFound:
                continue
            if owned_by(secret, owner) and not secret["metadata"].get("deletionTimestamp"):
                found.append(secret)
        return found


def owned_by(secret: JsonObject, owner: Owner) -> bool:
    """Whether the ExternalSecret is the controller of the Secret, by uid."""
    controller = controller_of(secret)
    return controller is not None and controller.get("kind") == OWNER_KIND and controller.get("uid") == owner.uid


def created_by_index(meta: Any, _: JsonObject) -> tuple[str, ...]:
    """Index function: Secrets by the value of their created-by label."""
    value = meta.labels.get(CREATED_BY_LABEL)
    return (value,) if value else ()


def key_changes(before: JsonObject | None, after: JsonObject) -> KeyChanges:
    """Which data keys a write touches."""
    old = decode_data(before) if before is not None else {}
    new = decode_data(after)
    return KeyChanges(
        added=_names(key for key in new if key not in old),
        updated=_names(key for key in new if key in old and new[key] != old[key] and new[key]),
        removed=_names(key for key in old if key not in new),
        emptied=_names(key for key in new if old.get(key) and not new[key]),
    )


def _names(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=str.encode))
