"""Custom kinds with several versions whose conversion a webhook does.

Reads are synchronous, so converted forms are kept with the stored object: a read that finds none raises
`NotConverted`, whoever asked has the missing ones made (`Converter.prepare`) and reads again.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.http.suspend import enter_task
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.webhook_client import CallFailed, WebhookClient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eso_core.testing.apiserver.resources import ResourceType

JsonObject = dict[str, Any]

_SECONDS: Final = 30
_BATCH: Final = 200
_AGENT: Final = "kube-apiserver"
_CHANGEABLE: Final = ("labels", "annotations")


@dataclass(frozen=True, slots=True)
class ConversionWebhook:
    """How a definition's webhook is called."""

    client_config: JsonObject
    review_versions: tuple[str, ...]


class NotConverted(Exception):
    """A stored object has not been converted to the version that is read."""


class Converter:
    """Converts objects by webhook. Resources without one pass through."""

    def __init__(self, client: WebhookClient) -> None:
        self._client = client

    async def prepare(self, resource: ResourceType, version: str, entries: Iterable[Entry]) -> None:
        """Make the converted forms that are missing. Raises `StatusError` 500 when the webhook fails."""
        if resource.conversion is None or version == resource.storage_version:
            return
        missing = [entry for entry in entries if entry.converted is None or version not in entry.converted]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            done = await self._convert(resource, [entry.decode() for entry in batch], version)
            for entry, obj in zip(batch, done, strict=True):
                entry.converted = {**(entry.converted or {}), version: bytes(memoryview(orjson.dumps(obj)))}

    async def stored(self, resource: ResourceType, version: str, obj: JsonObject) -> JsonObject:
        """An object of a served version in the form in which it is stored."""
        if resource.conversion is None or version == resource.storage_version:
            return obj
        return (await self._convert(resource, [obj], resource.storage_version))[0]

    async def _convert(self, resource: ResourceType, objects: list[JsonObject], version: str) -> list[JsonObject]:
        webhook = resource.conversion
        if webhook is None:
            return objects
        wanted = resource.api_version(version)
        uid = str(uuid.uuid4())
        review = {
            "kind": "ConversionReview",
            "apiVersion": "apiextensions.k8s.io/v1",
            "request": {"uid": uid, "desiredAPIVersion": wanted, "objects": objects},
        }
        await enter_task()
        try:
            answer = await self._client.post(webhook.client_config, review, _SECONDS, _AGENT)
            return _read_answer(answer, uid, wanted, objects)
        except CallFailed as error:
            given = objects[0].get("apiVersion", "") if objects else ""
            text = f"conversion webhook for {given}, Kind={resource.kind} failed: {error}"
            raise StatusError(500, "", text) from error


def _read_answer(answer: JsonObject, uid: str, wanted: str, objects: list[JsonObject]) -> list[JsonObject]:
    response = answer.get("response")
    if not isinstance(response, dict):
        raise CallFailed("no response provided")
    if response.get("uid") != uid:
        raise CallFailed(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        raise CallFailed(str(result.get("message") or "response.result.status was not Success"))
    converted = response.get("convertedObjects") or []
    if len(converted) != len(objects):
        raise CallFailed(f"returned {len(converted)} objects, expected {len(objects)}")
    found: list[JsonObject] = []
    for before, after in zip(objects, converted, strict=True):
        if not isinstance(after, dict) or after.get("apiVersion") != wanted or after.get("kind") != before["kind"]:
            raise CallFailed(f"returned an object that is not {wanted}, Kind={before['kind']}")
        meta = after.get("metadata")
        # Of the metadata a conversion may change labels and annotations only.
        kept = {key: value for key, value in before["metadata"].items() if key not in _CHANGEABLE}
        for key in _CHANGEABLE:
            if isinstance(meta, dict) and meta.get(key):
                kept[key] = meta[key]
        found.append({**after, "metadata": kept})
    return found
