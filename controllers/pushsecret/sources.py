"""The Secrets that are pushed: which there are, in what version, and what they hold.

Metadata of all Secrets is watched anyway, so existence, selection and change cost no request. Values are read when they
are pushed and their version is one that has not been read before, and kept in a bounded cache: the next comparison with
the stores reads nothing. A watch of values would keep every Secret of the cluster in memory for the few that are pushed.
When many objects of a namespace need values at once, as after a start, one list of it serves them all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controllers.externalsecret.names import CREATED_BY_LABEL, DATA_HASH_ANNOTATION, MANAGED_LABEL
from controllers.externalsecret.render import decode_data
from controllers.externalsecret.target import MANAGED_VIEW, SECRETS
from controllers.pushsecret.errors import NO_SOURCE, SourceFailed, SourceMissing
from controllers.pushsecret.plan import PUSH_SECRET
from eso_core.aio import Clock, SingleFlight
from eso_core.cache import Cache
from eso_core.cache.store import is_older
from eso_core.client import Client
from eso_core.meta import JsonObject, LabelSelector, ObjectKey
from eso_core.meta.errors import EsoCoreError, NotFound
from eso_core.meta.wellknown import SECRET

__all__ = ["SOURCE_INDEX", "SourceReader", "SourceSecret", "source_index_value"]

SOURCE_INDEX: Final = "pushsource"

_KEPT_BYTES: Final = 16 * 1024 * 1024
_PAGE: Final = 100
"""Secrets in one answer of a list: they may be of a megabyte each."""

_WORTH_A_LIST: Final = 4
"""Values wanted at once from which on a namespace is listed, if they are at least a fourth of its Secrets."""

_DECIDED_FOR: Final = 1.0
"""Seconds for which "reading one by one is better" stands: finding that out looks at every Secret of the namespace."""

_REPLACED_WITHIN: Final = 1.0
"""Seconds for which a Secret that was deleted may come back before it counts as deleted. Controllers and `kubectl replace` delete
and make anew, and what is deleted from a store for that moment may have lost its history there."""

_OURS: Final = frozenset({MANAGED_LABEL, CREATED_BY_LABEL, DATA_HASH_ANNOTATION})
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class SourceSecret:
    """A Secret as it is pushed.

    Attributes:
        name: Its name.
        version: Its resourceVersion; empty for values that no Secret holds.
        type: Its type.
        labels, annotations: Its metadata, without the marks of an ExternalSecret's target: a copy in a store is none.
        data: Its values.
        uid: Its uid; empty for values that no Secret holds.
    """

    name: str
    version: str = ""
    type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    uid: str = ""

    @classmethod
    def of(cls, obj: JsonObject) -> SourceSecret:
        """The Secret in a decoded object."""
        metadata = obj["metadata"]
        dropped = _OURS | {_LAST_APPLIED}
        return cls(
            name=metadata["name"],
            version=metadata.get("resourceVersion") or "",
            type=obj.get("type") or "",
            labels={key: value for key, value in (metadata.get("labels") or {}).items() if key not in _OURS},
            annotations={
                key: value for key, value in (metadata.get("annotations") or {}).items() if key not in dropped
            },
            data=decode_data(obj),
            uid=metadata.get("uid") or "",
        )

    @property
    def weight(self) -> int:
        """About how many bytes it takes."""
        return sum(len(key) + len(value) for key, value in self.data.items()) + 256


def source_index_value(namespace: str, name: str) -> str:
    """What PushSecrets that name a Secret are indexed by."""
    return f"Secret/{namespace}/{name}"


class SourceReader:
    """Finds and reads source Secrets.

    Args:
        cache: Has the metadata of all Secrets, and managed ones whole.
        api: Live reads.
        clock: Time.
    """

    def __init__(self, cache: Cache, api: Client, clock: Clock) -> None:
        self._cache = cache
        self._api = api
        self._clock = clock
        self._reads: SingleFlight[ObjectKey, SourceSecret] = SingleFlight()
        self._lists: SingleFlight[str, bool] = SingleFlight()
        self._kept: OrderedDict[ObjectKey, SourceSecret] = OrderedDict()
        self._weight = 0
        self._one_by_one: dict[str, float] = {}
        self._deleted: dict[ObjectKey, tuple[float, Mapping[str, str]]] = {}

    def version(self, key: ObjectKey) -> str:
        """The version that the watch has seen; empty when there is no such Secret."""
        entry = self._cache.peek(SECRETS, key)
        return entry.resource_version if entry is not None else ""

    def matching(self, namespace: str, selector: LabelSelector) -> list[str]:
        """Names of the Secrets of a namespace with these labels, sorted; those that are being deleted are left out."""
        return sorted(
            entry.key.name
            for entry in self._cache.informer(SECRETS).select(namespace)
            if entry.meta.deletion_timestamp is None and selector.matches(entry.meta.labels)
        )

    async def read(self, namespace: str, name: str) -> SourceSecret:
        """A Secret in the version that the watch has seen, or a later one.

        What the watch does not know is asked for: a Secret may have been made just before the PushSecret that names it,
        and on its absence things are deleted.

        Raises:
            SourceMissing: there is none.
            SourceFailed: it cannot be read.
        """
        key = ObjectKey(namespace, name)
        known = self.version(key)
        if (found := self._known(key, known)) is not None:
            return found
        if known and await self._listed(namespace) and (found := self._known(key, known)) is not None:
            return found
        try:
            found = await self._reads.do(key, lambda: self._get(key))
            if known and is_older(found.version, known):
                found = await self._get(key)  # shared with a read that began before the change
        except NotFound as error:
            self._drop(key)
            raise SourceMissing(NO_SOURCE, detail=f'{NO_SOURCE}: secrets "{name}" not found') from error
        except EsoCoreError as error:
            detail = f"{NO_SOURCE}: reading Secret {key}: {error}"
            raise SourceFailed(NO_SOURCE, detail=detail, retryable=True) from error
        self._keep(key, found)
        return found

    def _known(self, key: ObjectKey, version: str) -> SourceSecret | None:
        if not version:
            return None
        kept = self._kept.get(key)
        if kept is not None and kept.version == version:
            self._kept.move_to_end(key)
            return kept
        managed = self._cache.peek(SECRET, key, view=MANAGED_VIEW)
        if managed is not None and managed.resource_version == version:
            return SourceSecret.of(managed.decode())
        return None

    async def _get(self, key: ObjectKey) -> SourceSecret:
        obj: JsonObject = await self._api.get(SECRET, key)
        return SourceSecret.of(obj)

    # -- reading many at once ------------------------------------------------------------------------------------

    async def _listed(self, namespace: str) -> bool:
        """List the namespace if that is better than reading one by one; whether it was done, by whomever."""
        if self._one_by_one.get(namespace, 0.0) > self._clock.monotonic():
            return False
        if not await self._lists.do(namespace, lambda: self._list(namespace)):
            self._one_by_one[namespace] = self._clock.monotonic() + _DECIDED_FOR
            return False
        return True

    async def _list(self, namespace: str) -> bool:
        secrets = self._cache.informer(SECRETS).select(namespace)
        users = self._cache.informer(PUSH_SECRET)
        wanted = {
            entry.key: entry.resource_version
            for entry in secrets
            if self._known(entry.key, entry.resource_version) is None
            and users.select(index=(SOURCE_INDEX, source_index_value(namespace, entry.key.name)))
        }
        if len(wanted) < _WORTH_A_LIST or len(wanted) * 4 < len(secrets):
            return False
        continued = ""
        while True:
            try:
                page = await self._api.list(SECRET, namespace, limit=_PAGE, continue_=continued)
            except EsoCoreError:
                return False  # not allowed, or expired half-way: one by one says what is wrong
            for obj in page.items:
                key = ObjectKey.of(obj)
                if key in wanted and not is_older(obj["metadata"]["resourceVersion"], wanted[key]):
                    self._keep(key, SourceSecret.of(obj))
            continued = page.continue_
            if not continued:
                return True
            if self._weight > _KEPT_BYTES // 2:
                return False  # the rest would push out what was just read

    def _keep(self, key: ObjectKey, secret: SourceSecret) -> None:
        self._drop(key)
        self._kept[key] = secret
        self._weight += secret.weight
        while self._weight > _KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: ObjectKey) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._weight -= gone.weight

    def changed(self, key: ObjectKey, version: str) -> None:
        """A Secret has this version now, none if it is gone: values of another one need not stay in memory."""
        kept = self._kept.get(key)
        if kept is not None and kept.version != version:
            self._drop(key)

    # -- Secrets that may be about to come back ------------------------------------------------------------------

    def deleted(self, key: ObjectKey, labels: Mapping[str, str]) -> None:
        """A Secret was deleted just now."""
        now = self._clock.monotonic()
        self._deleted = {known: entry for known, entry in self._deleted.items() if entry[0] > now}
        self._deleted[key] = (now + _REPLACED_WITHIN, labels)

    def may_come_back(self, namespace: str, chosen: str | LabelSelector) -> float:
        """Seconds to wait for a Secret of this name, or with these labels, that was deleted a moment ago; 0 for none."""
        wait = 0.0
        now = self._clock.monotonic()
        for key, (until, labels) in self._deleted.items():
            if key.namespace != namespace or until <= now or self.version(key):
                continue
            if key.name == chosen if isinstance(chosen, str) else chosen.matches(labels):
                wait = max(wait, until - now)
        return wait
