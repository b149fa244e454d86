"""What a PushSecret may say for this backend: the spec of a PushSecretMetadata."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from eso_core.model import Model
from providers.errors import InvalidData
from providers.interface import JsonObject

__all__ = ["PushMetadata", "merged", "parse"]

_API_VERSION = "kubernetes.external-secrets.io/v1alpha1"
_KIND = "PushSecretMetadata"
_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "string": (str,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


class PushMetadata(Model):
    """How labels and annotations of the pushed Secret come about.

    Attributes:
        source_merge_policy: whether the labels and annotations here are added to those of the source, or replace them.
        target_merge_policy: whether those of the source are added to the target's, replace them, or are left out.
        remote_namespace: instead of the store's, for a ClusterSecretStore.
    """

    model_config = ConfigDict(extra="forbid")

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    source_merge_policy: str | None = None
    target_merge_policy: str | None = None
    remote_namespace: str | None = None


class _Envelope(Model):
    model_config = ConfigDict(extra="forbid")

    api_version: str = ""
    kind: str = ""
    spec: PushMetadata | None = None


def parse(document: JsonObject | None) -> PushMetadata | None:
    """The metadata of a PushSecret's entry; None when it gives none.

    Raises:
        InvalidData: It is something else, or has unknown fields.
    """
    if document is None:
        return None
    try:
        envelope = _Envelope.model_validate(document)
    except ValidationError as exc:
        reason = _told(exc.errors()[0])
        raise _unusable(
            f"failed to parse {_API_VERSION} {_KIND}: error unmarshaling JSON: while decoding JSON: json: {reason}"
        ) from None
    if envelope.api_version != _API_VERSION:
        raise _unusable(f'unexpected apiVersion "{envelope.api_version}", expected "{_API_VERSION}"')
    if envelope.kind != _KIND:
        raise _unusable(f'unexpected kind "{envelope.kind}", expected "{_KIND}"')
    return envelope.spec or PushMetadata()


def _told(error: ErrorDetails) -> str:
    """What is wrong, as Go's decoder says it, with the place instead of Go's types."""
    *parents, last = [str(part) for part in error["loc"]] or [""]
    if error["type"] == "extra_forbidden":
        return f'unknown field "{last}"'
    value = error["input"]
    kind = next((name for name, types in _KINDS.items() if isinstance(value, types)), "null")
    field = ".".join([*parents, last])
    return f"cannot unmarshal {kind}" + (f" into {field}" if field else ": an object is needed")


def _unusable(reason: str) -> InvalidData:
    return InvalidData(f"unable to parse metadata parameters: {reason}")


Part = Literal["labels", "annotations"]


def merged(part: Part, source: dict[str, str], target: dict[str, str], metadata: PushMetadata | None) -> dict[str, str]:
    """Labels or annotations of the target after the push.

    Raises:
        InvalidData: A policy that does not exist.
    """
    if metadata is not None:
        own = getattr(metadata, part) or {}
        match metadata.source_merge_policy or "Merge":
            case "Merge":
                source = source | own
            case "Replace":
                source = dict(own)
            case other:
                raise InvalidData(f'failed to merge source metadata: unexpected source merge policy "{other}"')
    match (metadata.target_merge_policy if metadata is not None else None) or "Merge":
        case "Merge":
            return target | source
        case "Replace":
            return source
        case "Ignore":
            return target
        case other:
            raise InvalidData(f'failed to merge target metadata: unexpected target merge policy "{other}"')
