"""Content negotiation: which representation of an object a client takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eso_core.testing.apiserver.errors import StatusError, not_acceptable
from eso_core.testing.apiserver.http.message import JSON, YAML

PLAIN: Final = "Object"
TABLE: Final = "Table"
PARTIAL: Final = "PartialObjectMetadata"
PARTIAL_LIST: Final = "PartialObjectMetadataList"

_BUILTIN: Final = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_STREAM: Final = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"


@dataclass(frozen=True, slots=True)
class Representation:
    """``form`` is Object, Table, PartialObjectMetadata or PartialObjectMetadataList; ``version`` its meta version."""

    form: str
    media: str
    version: str = "v1"


_DEFAULT: Final = Representation(PLAIN, JSON)


@dataclass(frozen=True, slots=True)
class _Clause:
    media: str
    parameters: dict[str, str]
    quality: float


def _clauses(accept: str) -> list[_Clause]:
    found: list[_Clause] = []
    for text in accept.split(","):
        media, *rest = (part.strip() for part in text.split(";"))
        if not media:
            continue
        parameters: dict[str, str] = {}
        quality = 1.0
        for part in rest:
            key, _, value = part.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
            else:
                parameters[key.strip()] = value.strip()
        if quality > 0:
            found.append(_Clause(media.lower(), parameters, quality))
    return sorted(found, key=lambda clause: -clause.quality)


@lru_cache(maxsize=512)
def negotiate(accept: str, custom: bool, allowed: tuple[str, ...], listing: bool = False) -> Representation:
    """The first acceptable representation. ``allowed`` names the forms this answer can take besides the object.

    Raises `StatusError` 406.
    """
    if not accept:
        return _DEFAULT
    for clause in _clauses(accept):
        if clause.media in (JSON, "*/*") or (custom and clause.media == "application/*"):
            media = JSON
        elif clause.media in (YAML, "application/x-yaml"):
            media = YAML
        else:
            continue
        form = clause.parameters.get("as", "")
        if not form:
            return Representation(PLAIN, media)
        if clause.parameters.get("g", "") != "meta.k8s.io":
            continue
        version = clause.parameters.get("v", "")
        if form in allowed and version in ("v1", "v1beta1"):
            return Representation(form, media, version)
    raise no_representation(custom, listing)


def no_representation(custom: bool, listing: bool = False) -> StatusError:
    """406 with what could have been had."""
    if custom:
        return not_acceptable(f"only the following media types are accepted: {_BUILTIN}")
    known = f"{_BUILTIN}, {_STREAM}" if listing else _BUILTIN
    return not_acceptable(f"406: Not Acceptable\n\nAvailable representations: {known}", {})
