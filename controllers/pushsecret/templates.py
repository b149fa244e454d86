"""The template of a PushSecret: what is made of a Secret, in memory, before it is pushed; and names made by templates."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from controllers import templating
from controllers.externalsecret.templates import check_engine, decoded_entries
from controllers.pushsecret.errors import EntriesRefused, TemplateRefused
from controllers.pushsecret.expand import Naming
from controllers.pushsecret.sources import SourceSecret
from controllers.templating import ParseError, TemplateError
from controllers.templating.stage import (
    EXECUTING,
    FETCHING,
    Sources,
    Stage,
    StageFailed,
    TemplateSettings,
    prefixed,
)
from eso_core.meta import JsonObject, ObjectKey

__all__ = ["PushTemplates"]

_REMEMBERED_BYTES: Final = 4 * 1024 * 1024


class PushTemplates:
    """Renders templates of PushSecrets.

    Salted functions (bcrypt, htpasswd) give another text each time, which would be a new version in the store at each
    refresh; so what such a template made last is remembered while the process runs, and kept as long as it fits.

    Args:
        sources: Reads what `templateFrom` names.
        settings: Flags.
    """

    def __init__(self, sources: Sources, settings: TemplateSettings | None = None) -> None:
        self._sources = sources
        self._settings = settings or TemplateSettings()
        self._last: OrderedDict[tuple[ObjectKey, str], Mapping[str, bytes]] = OrderedDict()
        self._weight = 0

    async def apply(self, owner: ObjectKey, template: JsonObject, source: SourceSecret) -> SourceSecret:
        """The Secret with what the template adds; all keys of the source stay.

        Raises:
            TemplateRefused: it cannot be rendered, or something that it reads is missing.
        """
        slot = (owner, source.name)
        try:
            with prefixed("could not apply template: "):
                check_engine(template)
                made = await self._render(owner, template, source, self._last.get(slot))
        except StageFailed as error:
            raise TemplateRefused(error.full, retryable=error.retryable) from error
        self._remember(slot, made.data if self._is_salted(template) else None)
        return made

    async def _render(
        self, owner: ObjectKey, template: JsonObject, source: SourceSecret, previous: Mapping[str, bytes] | None
    ) -> SourceSecret:
        metadata = template.get("metadata") or {}
        data, labels, annotations = dict(source.data), dict(source.labels), dict(source.annotations)
        stage = Stage(self._settings, source.data, previous)
        with prefixed(FETCHING):
            async for piece in stage.sources(template, self._sources, owner.namespace):
                entries = decoded_entries(stage, piece)
                match piece.target.lower():
                    case "labels":
                        labels.update(_texts(entries))
                    case "annotations":
                        annotations.update(_texts(entries))
                    case "data" | "":
                        data.update(entries)
                    case _:
                        raise StageFailed(
                            f'templateFrom target="{piece.target}" is not allowed, '
                            'must be one of "Data", "Annotations" or "Labels"'
                        )
        with prefixed(EXECUTING):
            data.update(await stage.values(template.get("data") or {}, "Data"))
            labels.update(_texts(await stage.values(metadata.get("labels") or {}, "Labels")))
            annotations.update(_texts(await stage.values(metadata.get("annotations") or {}, "Annotations")))
        return replace(source, type=template.get("type") or "", labels=labels, annotations=annotations, data=data)

    def naming(self, owner: ObjectKey, source: str, *, templates: bool) -> Naming:
        """How names of a store are made for one Secret.

        Args:
            owner: The PushSecret.
            source: Name of the Secret.
            templates: Whether remote keys may be templates. Only where several Secrets are selected: there one name for all
                would make each overwrite the others.
        """
        facts = {"secretName": source.encode(), "namespace": owner.namespace.encode()}

        def transform(template: str, key: str) -> str:
            try:
                return self._name(template, {**facts, "value": key.encode()})
            except TemplateError as error:
                step = "invalid template" if isinstance(error, ParseError) else "template exec"
                raise EntriesRefused(f"{step}: {error}") from None

        def fill(text: str) -> str:
            if not templates or "{{" not in text:
                return text
            try:
                return self._name(text, facts)
            except TemplateError as error:
                step = "parse" if isinstance(error, ParseError) else "execute"
                raise EntriesRefused(f'failed to {step} template on "{text}": {error}') from None

        return Naming(transform, fill)

    def _name(self, template: str, data: Mapping[str, bytes]) -> str:
        made = templating.render(template, data, name="t", missing_keys="no value", budget=self._settings.budget)
        return made.decode("utf-8", "replace")

    def forget(self, owner: ObjectKey) -> None:
        """The PushSecret is gone."""
        for slot in [slot for slot in self._last if slot[0] == owner]:
            self._remember(slot, None)

    def _is_salted(self, template: JsonObject) -> bool:
        """Whether rendering it again may give another result; sources that are read elsewhere may hold anything."""
        settings = self._settings
        entries = template.get("templateFrom") or ()
        if not settings.stable:
            return False
        if any(entry.get("configMap") or entry.get("secret") for entry in entries):
            return True
        texts = [*(template.get("data") or {}).values(), *(entry.get("literal") or "" for entry in entries)]
        return any(
            not templating.compile(text, name="tpl", left=settings.left, right=settings.right).pure for text in texts
        )

    def _remember(self, slot: tuple[ObjectKey, str], data: Mapping[str, bytes] | None) -> None:
        gone = self._last.pop(slot, None)
        if gone is not None:
            self._weight -= _weight(gone)
        if data is None:
            return
        self._last[slot] = data
        self._weight += _weight(data)
        while self._weight > _REMEMBERED_BYTES:
            _, oldest = self._last.popitem(last=False)
            self._weight -= _weight(oldest)


def _weight(data: Mapping[str, bytes]) -> int:
    return sum(len(key) + len(value) for key, value in data.items())


def _texts(values: Mapping[str, bytes]) -> dict[str, str]:
    return {key: value.decode("utf-8", "replace") for key, value in values.items()}
