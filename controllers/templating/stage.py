"""A `template` of an object: its sources, scopes and targets, rendered piece by piece in the order that decides who wins.

Shared by the kinds that have one. What is done with a piece differs by kind, so pieces are handed out, and `prefixed` says in
which step of the work an error happened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from controllers import templating
from controllers.templating.budget import Budget
from controllers.templating.functions import stable
from controllers.templating.gotemplate.errors import ParseError, TemplateError
from controllers.templating.gotemplate.values import StrMap
from controllers.templating.gotemplate.yamldoc import YamlError, text_map
from controllers.templating.redaction import redacted
from eso_core.meta import JsonObject

__all__ = [
    "EXECUTING",
    "FETCHING",
    "KEYS_AND_VALUES",
    "VALUES",
    "Piece",
    "Sources",
    "Stage",
    "StageFailed",
    "TemplateSettings",
    "prefixed",
]

VALUES: Final = "Values"
KEYS_AND_VALUES: Final = "KeysAndValues"

FETCHING: Final = "error fetching templateFrom data: "
EXECUTING: Final = "could not execute template: could not execute template: "

_LONGEST_NAME: Final = 120
_SHORT_TEXT: Final = 8 * 1024


class StageFailed(Exception):
    """A template cannot be applied. The text never holds a value of the data.

    Attributes:
        hint: What helps to mend it and is not part of the text that people search for; may be empty.
        retryable: Whether trying again soon may help.
    """

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.retryable = retryable

    @property
    def full(self) -> str:
        """Text and hint."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class Sources(Protocol):
    """Reads what `templateFrom` names."""

    async def read(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        """The `data` of a `ConfigMap` or `Secret`.

        Raises:
            StageFailed: it is not there, or cannot be read.
        """
        ...


class TemplateSettings(Struct, frozen=True):
    """What the operator's flags say about templates.

    Attributes:
        left, right: Delimiters; empty means the default.
        stable: Whether salted functions keep their last result while it fits.
        budget: What one render may use.
    """

    left: str = ""
    right: str = ""
    stable: bool = True
    budget: Budget = msgspec.field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class Piece:
    """One rendered text.

    Attributes:
        target: Where it goes, as written; `Data` if nothing is.
        scope: `Values` or `KeysAndValues`.
        key: Its key in scope Values; else what error texts call it.
        text: What the template made.
        decoding: Strategy for each value; empty for none.
    """

    target: str
    scope: str
    key: str
    text: bytes = field(repr=False)
    decoding: str = ""


@contextmanager
def prefixed(prefix: str) -> Iterator[None]:
    """Puts a prefix before the text of a failure."""
    try:
        yield
    except StageFailed as error:
        raise StageFailed(prefix + str(error), hint=error.hint, retryable=error.retryable) from error.__cause__


class Stage:
    """Applies one template to one set of values.

    Args:
        settings: Flags.
        data: The root of all templates; all of them see the same.
        previous: Values of the target as they are, for functions that keep their results; None for a target that is not there.
    """

    def __init__(
        self, settings: TemplateSettings, data: Mapping[str, bytes], previous: Mapping[str, bytes] | None = None
    ) -> None:
        self._settings = settings
        self._data = data
        self._previous = previous if settings.stable else None

    @cached_property
    def _root(self) -> StrMap:
        """What all templates of the stage see; nothing in them can change it."""
        return templating.root_of(self._data)

    async def sources(self, template: JsonObject, sources: Sources, namespace: str) -> AsyncIterator[Piece]:
        """The pieces of `templateFrom`: entries in order, in each the ConfigMap, then the Secret, then the literal.

        Raises:
            StageFailed: one cannot be read or rendered.
        """
        for index, entry in enumerate(template.get("templateFrom") or ()):
            target = entry.get("target") or "Data"
            decoding = entry.get("valuesDecodingStrategy") or ""
            for member, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                reference = entry.get(member)
                if not reference:
                    continue
                name = reference.get("name") or ""
                values = await sources.read(kind, namespace, name)
                for item in reference.get("items") or ():
                    key = item.get("key") or ""
                    if key not in values:
                        raise StageFailed(
                            f"error in {kind.lower()} {name}: missing key {key}",
                            hint=_keys_hint(f"{kind} {name}", values),
                        )
                    scope = item.get("templateAs") or VALUES
                    place = f"templateFrom[{index}], {kind} {name}, key {key}"
                    text = await self.render(values[key], key, scope=scope, target=target, place=place)
                    yield Piece(target, scope, key, text, decoding)
            literal = entry.get("literal")
            if literal is not None:
                place = f"templateFrom[{index}].literal"
                text = await self.render(literal, "", scope=KEYS_AND_VALUES, target=target, place=place)
                yield Piece(target, KEYS_AND_VALUES, place, text, decoding)

    async def values(self, templates: Mapping[str, str], target: str) -> dict[str, bytes]:
        """Each of a map of templates.

        Raises:
            StageFailed: one cannot be rendered; names its key.
        """
        return {key: await self.render(text, key, target=target) for key, text in templates.items()}

    async def render(
        self, text: str | bytes, key: str, *, scope: str = VALUES, target: str = "Data", place: str = ""
    ) -> bytes:
        """Render one text.

        Args:
            text: The template.
            key: Its key in scope Values.
            scope: In `KeysAndValues` the text itself is its name.
            target: Where it goes; what is there now is what salted functions keep.
            place: Where the template is written, for the hint of an error.

        Raises:
            StageFailed: it cannot be rendered.
        """
        settings = self._settings
        name = key if scope == VALUES else _as_name(text)
        try:
            with stable.previous(self._kept(text, name, key if scope == VALUES else None, target)):
                return await templating.render_async(
                    text,
                    self._data,
                    name=name,
                    left=settings.left,
                    right=settings.right,
                    budget=settings.budget,
                    root=self._root,
                )
        except TemplateError as error:
            what = "parse" if isinstance(error, ParseError) else "execute"
            prefix = f"unable to execute template at key {name}: unable to {what} template at key {name}: "
            raise StageFailed(prefix + redacted(error, self._data), hint=self._hint(error, place)) from None

    def entries(self, piece: Piece) -> dict[str, bytes]:
        """A piece as keys and values.

        Raises:
            StageFailed: it is no mapping of texts, or a value cannot be decoded.
        """
        if piece.scope == VALUES:
            found = {piece.key: piece.text}
        else:
            try:
                found = {key.decode("utf-8", "replace"): value for key, value in text_map(piece.text).items()}
            except YamlError as error:
                text = redacted(
                    f"could not unmarshal template to 'map[string][]byte': {error}", self._data, parsed=True
                )
                raise StageFailed(text, hint=piece.key) from None
        return found

    def _kept(self, text: str | bytes, name: str, key: str | None, target: str) -> Mapping[str, bytes] | None:
        """The last results that functions of this template may keep."""
        if not self._previous or target.lower() != "data":
            return None
        if key is not None and key not in self._previous:
            return None
        settings = self._settings
        # Most templates have nothing to keep, and looking through old values takes longer than they do.
        if (
            len(text) <= _SHORT_TEXT
            and templating.compile(text, name=name, left=settings.left, right=settings.right).pure
        ):
            return None
        return self._previous if key is None else {key: self._previous[key]}

    def _hint(self, error: TemplateError, place: str) -> str:
        parts = [place] if place else []
        if error.place.available is not None:
            parts.append(_keys_hint("the template", self._data))
        return "; ".join(parts)


def transform(template: str, key: str, budget: Budget) -> str:
    """The new name of a key by a `rewrite.transform` template. Always with `{{` and `}}`; missing keys print `<no value>`.

    Raises:
        TemplateError: it cannot be parsed or rendered.
    """
    context = {"value": key.encode()}
    made = templating.render(template, context, name="transform", missing_keys="no value", budget=budget)
    return made.decode("utf-8", "replace")


def _keys_hint(owner: str, values: Mapping[str, Any]) -> str:
    return f"{owner} has the keys {', '.join(sorted(values))}" if values else f"{owner} has no keys"


def _as_name(text: str | bytes) -> str:
    """A template as its own name; the beginning of a long one, because it stands in each error several times."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return shown if len(shown) <= _LONGEST_NAME else shown[:_LONGEST_NAME] + "..."
