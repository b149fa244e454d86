"""The template of an ExternalSecret, made into what its Secret is to hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controllers.externalsecret.errors import KeysRefused, TemplateFailed, ValueRefused
from controllers.externalsecret.plan import Plan
from controllers.externalsecret.render import Content
from controllers.externalsecret.values import decode
from controllers.templating import ParseError, TemplateError
from controllers.templating.stage import (
    EXECUTING,
    FETCHING,
    Piece,
    Sources,
    Stage,
    StageFailed,
    TemplateSettings,
    prefixed,
    transform,
)
from eso_core.meta import JsonObject

__all__ = ["SecretTemplates", "check_engine", "decoded_entries"]

_TOKEN_TYPE: Final = "kubernetes.io/service-account-token"
_TOKEN_ANNOTATION: Final = "kubernetes.io/service-account.name"
_BOOTSTRAP_TYPE: Final = "bootstrap.kubernetes.io/token"
_TARGETS: Final = frozenset({"", "data", "annotations", "labels"})


class SecretTemplates:
    """Renders `target.template` for Secrets; `controllers.externalsecret.extensions.Templates` is its protocol.

    Args:
        sources: Reads what `templateFrom` names.
        settings: Flags.
    """

    def __init__(self, sources: Sources, settings: TemplateSettings | None = None) -> None:
        self._sources = sources
        self._settings = settings or TemplateSettings()

    async def content(
        self, plan: Plan, data: Mapping[str, bytes], previous: Mapping[str, bytes] | None = None
    ) -> Content:
        """Data, labels, annotations, type and finalizers that the template makes of the values.

        Raises:
            TemplateFailed: the template is refused, cannot be rendered, or a source is missing.
        """
        try:
            with prefixed("could not apply template: "):
                return await self._content(plan, data, previous)
        except StageFailed as error:
            raise TemplateFailed(error.full, retryable=error.retryable) from error

    async def _content(self, plan: Plan, data: Mapping[str, bytes], previous: Mapping[str, bytes] | None) -> Content:
        template = plan.template or {}
        _check_restrictions(template)
        check_engine(template)
        metadata = template.get("metadata") or {}
        labels: dict[str, str] = {}
        annotations: dict[str, str] = {}
        own = template.get("data") or {}
        unshaped = not own and not template.get("templateFrom")
        made: dict[str, bytes] = dict(data) if unshaped or template.get("mergePolicy") == "Merge" else {}
        stage = Stage(self._settings, data, previous)
        with prefixed(FETCHING):
            async for piece in stage.sources(template, self._sources, plan.owner.namespace):
                entries = decoded_entries(stage, piece)
                match piece.target.lower():
                    case "labels":
                        labels.update(_texts(entries))
                    case "annotations":
                        annotations.update(_texts(entries))
                    case _:
                        made.update(entries)
        with prefixed(EXECUTING):
            made.update(await stage.values(own, "Data"))
            labels.update(_texts(await stage.values(metadata.get("labels") or {}, "Labels")))
            annotations.update(_texts(await stage.values(metadata.get("annotations") or {}, "Annotations")))
        return Content(made, labels, annotations, template.get("type") or "", tuple(metadata.get("finalizers") or ()))

    def transform(self, template: str, key: str) -> str:
        """The key that a `rewrite.transform` template makes of `key`.

        Raises:
            KeysRefused: the template cannot be parsed or executed.
        """
        try:
            return transform(template, key, self._settings.budget)
        except TemplateError as error:
            if isinstance(error, ParseError):
                raise KeysRefused(f"transform failed with failed to parse template: {error}") from None
            raise KeysRefused(f"transform failed with failed to execute template: {error} (key {key})") from None


def decoded_entries(stage: Stage, piece: Piece) -> dict[str, bytes]:
    """A piece as keys and values, the values decoded as the entry of `templateFrom` says.

    Raises:
        StageFailed: it is no mapping, or a value is not in that encoding.
    """
    entries = stage.entries(piece)
    for key, value in entries.items():
        try:
            entries[key] = decode(piece.decoding, value)
        except ValueRefused as error:
            cause = str(error).partition(" to data: ")[2] or str(error)
            raise StageFailed(f"failed to decode rendered template value for key {key}: {cause}") from None
    return entries


def check_engine(template: JsonObject) -> None:
    """Refuse engines that there are no more; a template stored without one is for the only one there is.

    Raises:
        StageFailed: it names another.
    """
    version = template.get("engineVersion") or "v2"
    if version != "v2":
        raise StageFailed(f"unsupported template engine version: {version}", hint="write v2, the only one there is")


def _check_restrictions(template: JsonObject) -> None:
    """Refuse Secrets that would give the rights of other accounts to those who may write ExternalSecrets only."""
    kind = template.get("type") or ""
    targets = [entry.get("target") or "" for entry in template.get("templateFrom") or ()]
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    if kind == _TOKEN_TYPE:
        if _TOKEN_ANNOTATION in annotations:
            raise StageFailed(f'template.type="{kind}" with annotation "{_TOKEN_ANNOTATION}" is not allowed')
        if any(target.lower() == "annotations" for target in targets):
            raise StageFailed(f'template.type="{kind}" with templateFrom target "Annotations" is not allowed')
    if kind == _BOOTSTRAP_TYPE:
        raise StageFailed(f'template.type="{kind}" is not allowed')
    for target in targets:
        if target.lower() not in _TARGETS:
            raise StageFailed(
                f'templateFrom target="{target}" is not allowed when targeting a Secret, '
                'must be one of "Data", "Annotations" or "Labels"'
            )


def _texts(values: Mapping[str, bytes]) -> dict[str, str]:
    return {key: value.decode("utf-8", "replace") for key, value in values.items()}
