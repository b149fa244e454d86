"""The desired object of a generic target, from the ExternalSecret, the fetched values and the object that exists."""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from typing import Any, Final

from controllers.externalsecret.errors import TemplateFailed
from controllers.externalsecret.names import DATA_HASH_ANNOTATION, digest, field_manager
from controllers.externalsecret.ownedfields import owned_fields
from controllers.externalsecret.paths import InvalidPath, merge_at, set_at
from controllers.externalsecret.plan import Plan
from controllers.externalsecret.render import KEEPING_POLICIES, is_managed, take_ownership
from controllers.externalsecret.templates import check_engine, decoded_entries
from controllers.templating.gotemplate.yamldoc import YamlError, document
from controllers.templating.redaction import redacted
from controllers.templating.stage import (
    EXECUTING,
    FETCHING,
    VALUES,
    Piece,
    Sources,
    Stage,
    StageFailed,
    TemplateSettings,
    prefixed,
)
from eso_core.meta import GVK, JsonObject

__all__ = ["Manifests", "content_digest", "content_hash", "gvk_of", "intact"]

_OUTSIDE: Final = ("apiVersion", "kind", "metadata", "status")
_SHAPES: Final = (
    ("labels", dict, "map"),
    ("annotations", dict, "map"),
    ("ownerReferences", list, "list"),
    ("finalizers", list, "list"),
)
_MAPS: Final = frozenset({"data", "labels", "annotations"})


def gvk_of(plan: Plan) -> GVK:
    """The kind of the target."""
    manifest = plan.manifest or {}
    return GVK.parse(manifest["apiVersion"], manifest["kind"])


class Manifests:
    """Builds objects of generic targets.

    Args:
        sources: Reads what `templateFrom` names.
        settings: Flags.
    """

    def __init__(self, sources: Sources, settings: TemplateSettings) -> None:
        self._sources = sources
        self._settings = settings

    async def build(
        self,
        plan: Plan,
        data: Mapping[str, bytes],
        existing: JsonObject | None,
        inherited: Mapping[str, str],
    ) -> JsonObject:
        """The object to write.

        Raises:
            TemplateFailed: the template cannot be rendered, or a path cannot be used.
            OwnedByAnother, NotOwner: something else controls the existing object.
        """
        obj = _base(plan, existing)
        metadata = obj["metadata"]
        template = plan.template
        given = (template.get("metadata") or {}) if template is not None else {}
        labels = dict((given.get("labels") or {}) if template is not None else plan.owner.labels)
        annotations = dict((given.get("annotations") or {}) if template is not None else inherited)
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
        if template is None:
            values = {key: _text(value) for key, value in data.items()}
            if _is(obj, "ConfigMap"):
                obj["data"] = values
            elif _is(obj, "Secret"):
                obj["data"] = {key: base64.b64encode(value).decode() for key, value in data.items()}
            else:
                obj.setdefault("spec", {})["data"] = values
        else:
            try:
                await self._render(plan, template, data, obj)
            except StageFailed as error:
                raise TemplateFailed(error.full, retryable=error.retryable) from error
            metadata = obj["metadata"]  # a template may have put another in its place
            metadata["labels"] = metadata.get("labels") or {}
            metadata["annotations"] = metadata.get("annotations") or {}
        take_ownership(metadata, plan.owner, plan.target)
        metadata["annotations"][DATA_HASH_ANNOTATION] = content_hash(obj)
        return obj

    async def _render(self, plan: Plan, template: JsonObject, data: Mapping[str, bytes], obj: JsonObject) -> None:
        check_engine(template)
        stage = Stage(self._settings, data)
        identity = _identity(obj)
        with prefixed(FETCHING):
            async for piece in stage.sources(template, self._sources, plan.owner.namespace):
                self._put(stage, piece, obj, data)
                _check_metadata(obj, identity)
        with prefixed(EXECUTING):
            for key, value in (await stage.values(template.get("data") or {}, "Data")).items():
                _entries(obj, "data", {key: value})

    def _put(self, stage: Stage, piece: Piece, obj: JsonObject, data: Mapping[str, bytes]) -> None:
        target = piece.target.lower()
        if target in _MAPS:
            _entries(obj, target, decoded_entries(stage, piece))
            return
        try:
            if piece.scope == VALUES:
                [(key, value)] = decoded_entries(stage, piece).items()
                if target == "spec":
                    obj.setdefault("spec", {})[key] = _text(value)
                else:
                    set_at(obj, piece.target, _parsed(value))
            else:
                # Exactly the short name is the whole of it; a path is laid over what is there.
                merge_at(obj, "spec" if target == "spec" else piece.target, _document(piece.text, data))
        except InvalidPath as error:
            raise StageFailed(str(error)) from None


def _base(plan: Plan, existing: JsonObject | None) -> JsonObject:
    """What is written over: the object with all it has where the policy merges, else without what is ours to say."""
    manifest = plan.manifest or {}
    name, namespace = plan.target.name, plan.owner.namespace
    obj: JsonObject = {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": name, "namespace": namespace},
    }
    body = "data" if _is(obj, "ConfigMap") or _is(obj, "Secret") else "spec"
    if existing is None:
        return {**obj, body: {}}
    found = copy.deepcopy(existing)
    own = owned_fields(found, field_manager(plan.owner.name))
    metadata = found["metadata"]
    for field, keys in (("labels", own.labels), ("annotations", own.annotations)):
        metadata[field] = {key: value for key, value in (metadata.get(field) or {}).items() if key not in keys}
    if plan.target.creation in KEEPING_POLICIES:
        return found
    # Fields of others beside the body (and finalizers, and their labels) are not ours to remove.
    found[body] = {}
    return found


def _identity(obj: JsonObject) -> tuple[Any, ...]:
    metadata = obj["metadata"]
    return (
        obj.get("apiVersion"),
        obj.get("kind"),
        *(metadata.get(field) for field in ("name", "namespace", "uid", "resourceVersion")),
    )


def _check_metadata(obj: JsonObject, identity: tuple[Any, ...]) -> None:
    """A template fills the target; which object that is, in which namespace and of which kind, is not for it to say.

    Raises:
        StageFailed: it says so all the same, or leaves metadata that is none.
    """
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise StageFailed("metadata is no map any more")
    if _identity(obj) != identity:
        raise StageFailed(
            "apiVersion, kind, metadata.name, namespace, uid and resourceVersion cannot be set: the target is the one of spec.target"
        )
    for field, kind, words in _SHAPES:
        value = metadata.get(field)
        if value is not None and not isinstance(value, kind):
            raise StageFailed(f"metadata.{field} is no {words} any more")
    if not all(isinstance(reference, dict) for reference in metadata.get("ownerReferences") or ()):
        raise StageFailed("metadata.ownerReferences holds something else than maps")


def _is(obj: JsonObject, kind: str) -> bool:
    return bool(obj["apiVersion"] == "v1" and obj["kind"] == kind)


def _entries(obj: JsonObject, target: str, entries: Mapping[str, bytes]) -> None:
    holder = obj["metadata"] if target != "data" else obj
    place = holder.get(target)
    if not isinstance(place, dict):
        place = holder[target] = {}
    encoded = target == "data" and _is(obj, "Secret")
    for key, value in entries.items():
        place[key] = base64.b64encode(value).decode() if encoded else _text(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _parsed(value: bytes) -> Any:
    """A rendered value as YAML if it is any, else as text."""
    try:
        return document(value)
    except YamlError:
        return _text(value)


def _document(text: bytes, data: Mapping[str, bytes]) -> Any:
    try:
        return document(text)
    except YamlError as error:
        raise StageFailed(
            redacted(f"failed to unmarshal template result as YAML: {error}", data, parsed=True)
        ) from None


def content_hash(obj: JsonObject) -> str:
    """What the data-hash annotation says: the hash of `spec`, or of `data`; of all else for an object with neither."""
    for field in ("spec", "data"):
        if obj.get(field) is not None:
            return digest(obj[field])
    return content_digest(obj)


def content_digest(obj: JsonObject) -> str:
    """A hash of everything outside of metadata and status."""
    return digest({key: value for key, value in obj.items() if key not in _OUTSIDE})


def intact(obj: JsonObject, settled: str) -> bool:
    """Whether the object is managed, and is what the last write left.

    Args:
        obj: As the server has it.
        settled: `content_digest` of the server's answer to the last write, which has the defaults; empty if not known.
    """
    metadata = obj["metadata"]
    if not is_managed(metadata):
        return False
    if settled and settled == content_digest(obj):
        return True
    return bool((metadata.get("annotations") or {}).get(DATA_HASH_ANNOTATION) == content_hash(obj))
