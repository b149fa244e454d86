"""Conversion between versions of a kind (`apiextensions.k8s.io/v1 ConversionReview`), through one version in the middle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from msgspec import Struct

from eso_core.meta import JsonObject
from eso_core.meta.errors import EsoCoreError

__all__ = ["ConversionError", "Convert", "Converter", "Spoke", "convert_review"]

Convert = Callable[[JsonObject], JsonObject]


class ConversionError(EsoCoreError):
    """An object cannot be converted: what it says has no place in the other version."""


class Spoke(Struct, frozen=True):
    """One version beside the hub, with the two ways."""

    to_hub: Convert
    from_hub: Convert


class Converter:
    """Converts the objects of one kind.

    The functions get an object of their own and return the converted one; of its metadata only labels and annotations may differ
    and `apiVersion` is set for them.

    Args:
        group, kind: of the objects.
        hub: version that all others are converted through.
        spokes: the other versions.
    """

    def __init__(self, group: str, kind: str, hub: str, spokes: Mapping[str, Spoke]) -> None:
        if hub in spokes:
            raise ValueError(f"converting {kind}: {hub} is the hub and a spoke: name it once")
        self.group, self.kind = group, kind
        self._hub = hub
        self._spokes = dict(spokes)

    def convert(self, obj: JsonObject, desired: str) -> JsonObject:
        """The object in version `desired` (an apiVersion).

        Raises:
            ConversionError: the kind or a version is not ours, or a function refuses.
        """
        source, target = self._version(str(obj.get("apiVersion") or "")), self._version(desired)
        if obj.get("kind") != self.kind:
            raise ConversionError(f"converting to {desired}: {obj.get('kind')} is not the kind {self.kind}")
        made: JsonObject = orjson.loads(orjson.dumps(obj))
        if source != target:
            if source != self._hub:
                made = self._spokes[source].to_hub(made)
            if target != self._hub:
                made["apiVersion"] = f"{self.group}/{self._hub}"
                made = self._spokes[target].from_hub(made)
        made["apiVersion"], made["kind"] = desired, self.kind
        made["metadata"] = _metadata(obj.get("metadata") or {}, made.get("metadata") or {})
        return made

    def _version(self, api_version: str) -> str:
        group, _, version = api_version.rpartition("/")
        if group != self.group or (version != self._hub and version not in self._spokes):
            known = ", ".join(f"{self.group}/{name}" for name in (self._hub, *self._spokes))
            raise ConversionError(f"converting a {self.kind}: {api_version!r} is none of its versions: {known}")
        return version


def _metadata(before: JsonObject, after: JsonObject) -> JsonObject:
    """What the API server accepts: everything as it was, but for labels and annotations."""
    kept = {name: value for name, value in before.items() if name not in ("labels", "annotations")}
    for name in ("labels", "annotations"):
        if after.get(name):
            kept[name] = after[name]
    return kept


def convert_review(body: bytes, converters: Mapping[tuple[str, str], Converter]) -> JsonObject:
    """The answer to a ConversionReview: all objects in their order, or a failure that names the first bad one.

    Raises:
        ValueError: it is no ConversionReview with a request.
    """
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    asked = review.get("request") if isinstance(review, dict) else None
    if not isinstance(asked, dict) or review.get("kind") != "ConversionReview" or not asked.get("uid"):
        raise ValueError("the body is no ConversionReview with a request and a uid")
    desired = str(asked.get("desiredAPIVersion") or "")
    response: JsonObject = {"uid": asked["uid"]}
    converted = []
    try:
        for obj in asked.get("objects") or ():
            converter = converters.get((desired.rpartition("/")[0], str(obj.get("kind") or "")))
            if converter is None:
                raise ConversionError(f"converting to {desired}: no converter for kind {obj.get('kind')}")
            try:
                converted.append(converter.convert(obj, desired))
            except ConversionError as error:
                metadata = obj.get("metadata") or {}
                place = "/".join(str(metadata[part]) for part in ("namespace", "name") if metadata.get(part))
                raise ConversionError(f"{place}: {error}") from error
    except ConversionError as error:
        response["result"] = {"status": "Failure", "message": str(error)}
    else:
        response["convertedObjects"] = converted
        response["result"] = {"status": "Success"}
    return {"apiVersion": review.get("apiVersion"), "kind": "ConversionReview", "response": response}
