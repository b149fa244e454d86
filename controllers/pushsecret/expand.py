"""What goes where: `data` and `dataTo` made into entries for one store and one Secret. Pure; sees keys, never values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from controllers.externalsecret.keys import (
    PatternError,
    RegexpRule,
    TransformRule,
    compile_pattern,
    replace_all,
)
from controllers.pushsecret.errors import EntriesRefused
from controllers.pushsecret.plan import DataEntry, DataTo, PushPlan, StoreChoice
from eso_core.meta import LabelSelector

__all__ = ["Naming", "StoreFacts", "convert", "converted_name", "entries_for", "selects"]

V = TypeVar("V")

_ESCAPED: Final = re.compile(r"_U([0-9a-fA-F]{4,5})_")


class StoreFacts(Struct, frozen=True):
    """What decides whether a reference means a store."""

    kind: str
    name: str
    labels: Mapping[str, str]


class Naming(Struct, frozen=True):
    """How names are made for one source Secret.

    Attributes:
        transform: Renders a `rewrite.transform` template for a key; raises `EntriesRefused`.
        fill: Renders a remote key or property that is a template; raises `EntriesRefused`.
    """

    transform: Callable[[str, str], str]
    fill: Callable[[str], str]


def selects(choice: StoreChoice, store: StoreFacts) -> bool:
    """Whether a reference means this store."""
    if choice.kind != store.kind:
        return False
    if isinstance(choice.selector, LabelSelector):
        return choice.selector.matches(store.labels)
    return choice.name == store.name


def converted_name(strategy: str, key: str) -> str:
    """The name that a key has for the backend: `ReverseUnicode` reads `_U<hex>_` as the character with that number."""
    if strategy != "ReverseUnicode":
        return key
    return _ESCAPED.sub(_character, key)


def _character(match: re.Match[str]) -> str:
    number = int(match.group(1), 16)
    return match.group(0) if 0xD800 <= number <= 0xDFFF else chr(number)


def convert(strategy: str, values: Mapping[str, V]) -> dict[str, V]:
    """The same values under converted names.

    Raises:
        EntriesRefused: two keys get the same name.
    """
    made: dict[str, V] = {}
    for key, value in values.items():
        name = converted_name(strategy, key)
        if name in made:
            raise EntriesRefused(f"secret name collision during conversion: {name}")
        made[name] = value
    return made


def entries_for(plan: PushPlan, store: StoreFacts, keys: Iterable[str], naming: Naming) -> list[DataEntry]:
    """Everything that goes to this store from a Secret with these keys; explicit entries last.

    Raises:
        EntriesRefused: an entry cannot be made, or two have the same place.
    """
    keys = sorted(keys, key=str.encode)
    expanded = _expanded([entry for entry in plan.data_to if selects(entry.store, store)], keys, naming)
    explicit = [
        replace(entry, remote_key=naming.fill(entry.remote_key), property=naming.fill(entry.property))
        for entry in plan.data
    ]
    taken = {key for entry in explicit for key in _source_keys(entry, keys)}
    whole = any(not entry.secret_key for entry in explicit)
    kept = [entry for entry in expanded if (entry.secret_key not in taken if entry.secret_key else not whole)]
    return _unique([*kept, *explicit])


def _source_keys(entry: DataEntry, keys: Iterable[str]) -> Iterator[str]:
    """The keys of the Secret that an explicit entry takes, by their unconverted names."""
    if entry.secret_key:
        for key in keys:
            if converted_name(entry.conversion, key) == entry.secret_key:
                yield key


def _expanded(entries: Iterable[DataTo], keys: list[str], naming: Naming) -> list[DataEntry]:
    made: list[DataEntry] = []
    seen: dict[str, tuple[int, str]] = {}
    for entry in entries:
        place = f"failed to expand dataTo: dataTo[{entry.index}]"
        try:
            found = list(_expand(entry, keys, naming))
        except EntriesRefused as error:
            raise EntriesRefused(f"{place}: {error}") from None
        for one in found:
            if (other := seen.get(one.remote_key)) is not None:
                raise EntriesRefused(
                    f'{place}: duplicate remote key "{one.remote_key}" from source key "{one.secret_key}" '
                    f"(conflicts with dataTo[{other[0]}]:{other[1]})"
                )
            seen[one.remote_key] = (entry.index, one.secret_key)
        made += found
    return made


def _expand(entry: DataTo, keys: list[str], naming: Naming) -> Iterator[DataEntry]:
    matching = _matching(entry, keys)
    if not matching:
        return
    if entry.remote_key:
        if entry.rewrite:
            raise EntriesRefused(
                "remoteKey and rewrite are mutually exclusive: rewrite is only supported in per-key mode (without remoteKey)"
            )
        yield DataEntry(
            secret_key="",
            remote_key=naming.fill(entry.remote_key),
            conversion=entry.conversion,
            metadata=entry.metadata,
            keys=frozenset(matching),
        )
        return
    for name, key in sorted(matching.items(), key=lambda pair: pair[0].encode()):
        remote_key = _rewritten(entry, name, naming)
        if not remote_key:
            raise EntriesRefused(f'empty remote key produced for source key "{key}"')
        yield DataEntry(secret_key=key, remote_key=remote_key, metadata=entry.metadata)


def _matching(entry: DataTo, keys: list[str]) -> dict[str, str]:
    """The keys that match, by their converted names."""
    try:
        names = convert(entry.conversion, {key: key for key in keys})
    except EntriesRefused as error:
        raise EntriesRefused(f"conversion failed: {error}") from None
    if entry.pattern is None:
        return names
    try:
        pattern = compile_pattern(entry.pattern)
    except PatternError as error:
        raise EntriesRefused(f'match failed: failed to compile regexp pattern "{entry.pattern}": {error}') from None
    return {name: key for name, key in names.items() if pattern.search(name) is not None}


def _rewritten(entry: DataTo, name: str, naming: Naming) -> str:
    for index, rule in enumerate(entry.rewrite):
        place = f'rewrite failed: rewrite[{index}] on key "{name}"'
        match rule:
            case RegexpRule():
                try:
                    name = replace_all(compile_pattern(rule.source), rule.target, name)
                except PatternError as error:
                    raise EntriesRefused(f"{place}: invalid regexp: {error}") from None
            case TransformRule():
                try:
                    name = naming.transform(rule.template, name)
                except EntriesRefused as error:
                    raise EntriesRefused(f"{place}: {error}") from None
    return name


def _unique(entries: list[DataEntry]) -> list[DataEntry]:
    seen: dict[tuple[str, str], DataEntry] = {}
    for entry in entries:
        address = (entry.remote_key, entry.property)
        if (other := seen.get(address)) is not None:
            within = f' with property "{entry.property}"' if entry.property else ""
            raise EntriesRefused(
                f'failed to merge data entries: duplicate remote key "{entry.remote_key}"{within}: source keys '
                f'"{other.secret_key}" and "{entry.secret_key}" both map to the same destination'
            )
        seen[address] = entry
    return entries
