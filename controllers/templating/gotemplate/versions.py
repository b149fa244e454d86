"""Semantic versions, read leniently: `v1.2` is 1.2.0."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from controllers.templating.gotemplate.errors import FunctionError
from controllers.templating.gotemplate.values import GoObject, Uint64

__all__ = ["Version", "VersionError", "VersionValue", "parse_version"]

_LABELS: Final = r"[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*"
_VERSION: Final = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_LABELS}))?(?:\+({_LABELS}))?\Z")
_LABEL: Final = re.compile(r"[0-9A-Za-z\-]+\Z")
_NUMBER: Final = re.compile(r"[0-9]+\Z")
_HIGHEST: Final = (1 << 64) - 1


class VersionError(ValueError):
    """The text is no version; `str()` is the original's message."""


def _small_number(text: str) -> int | None:
    """A number of 64 bits; None for words and for larger ones, which count as words."""
    digits = text.lstrip("0") or "0"
    number = int(digits) if _NUMBER.match(text) and len(digits) <= 20 else None
    return number if number is not None and number <= _HIGHEST else None


def _compare_labels(mine: str, other: str) -> int:
    if mine == other:
        return 0
    if not mine or not other:
        return 1 if mine else -1
    numbers = [_small_number(text) for text in (mine, other)]
    if numbers[0] is None and numbers[1] is None:
        return 1 if mine > other else -1
    if numbers[0] is None or numbers[1] is None:
        return 1 if numbers[0] is None else -1
    return 1 if numbers[0] > numbers[1] else -1


def compare_prereleases(mine: str, other: str) -> int:
    """-1, 0 or 1: numbers before words, more labels after fewer."""
    left, right = mine.split("."), other.split(".")
    for at in range(max(len(left), len(right))):
        order = _compare_labels(left[at] if at < len(left) else "", right[at] if at < len(right) else "")
        if order:
            return order
    return 0


class VersionValue(GoObject):
    """semver.Version.

    Attributes:
        numbers: major, minor, patch.
        prerelease: what follows `-`; metadata: what follows `+`; original: the text it was read from.
    """

    __slots__ = ("metadata", "numbers", "original", "prerelease")
    go_type = "semver.Version"
    go_kind = "struct"

    def __init__(self, numbers: tuple[int, int, int], prerelease: str, metadata: str, original: str) -> None:
        self.numbers = numbers
        self.prerelease = prerelease
        self.metadata = metadata
        self.original = original

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, VersionValue):
            return NotImplemented
        mine = (self.numbers, self.prerelease, self.metadata, self.original)
        return mine == (other.numbers, other.prerelease, other.metadata, other.original)

    def __hash__(self) -> int:
        return hash((self.numbers, self.prerelease))

    def deep_copied(self) -> VersionValue:
        """What `deepCopy` makes of it: it cannot see into versions, so the copy is the zero version."""
        return type(self)((0, 0, 0), "", "", "")

    def text(self) -> bytes:
        tail = ("-" + self.prerelease if self.prerelease else "") + ("+" + self.metadata if self.metadata else "")
        return ("{}.{}.{}".format(*self.numbers) + tail).encode()

    def json_text(self) -> bytes:
        """The version as a JSON text without quotes."""
        return self.text()

    def parts(self) -> list[tuple[str, object]]:
        """The fields of the struct, for verbs that have no use for its text."""
        numbers = list(zip(("major", "minor", "patch"), map(Uint64, self.numbers), strict=True))
        texts = (("pre", self.prerelease), ("metadata", self.metadata), ("original", self.original))
        return [*numbers, *((name, text.encode()) for name, text in texts)]

    def compare(self, other: VersionValue) -> int:
        """-1, 0 or 1; metadata does not count, a prerelease comes before its version."""
        if self.numbers != other.numbers:
            return 1 if self.numbers > other.numbers else -1
        if not self.prerelease or not other.prerelease:
            return (not self.prerelease) - (not other.prerelease)
        return compare_prereleases(self.prerelease, other.prerelease)

    def _made(self, numbers: tuple[int, int, int], prerelease: str = "", metadata: str = "") -> VersionValue:
        numbers = (numbers[0] & _HIGHEST, numbers[1] & _HIGHEST, numbers[2] & _HIGHEST)
        made = VersionValue(numbers, prerelease, metadata, "")
        made.original = ("v" if self.original.startswith("v") else "") + made.text().decode()
        return made

    def next_major(self) -> VersionValue:
        return self._made((self.numbers[0] + 1, 0, 0))

    def next_minor(self) -> VersionValue:
        return self._made((self.numbers[0], self.numbers[1] + 1, 0))

    def next_patch(self) -> VersionValue:
        """The patch after this one; of a prerelease its version."""
        major, minor, patch = self.numbers
        return self._made((major, minor, patch if self.prerelease else patch + 1))

    def with_prerelease(self, prerelease: bytes) -> VersionValue:
        text = prerelease.decode("utf-8", "replace")
        if text:
            try:
                _check_prerelease(text)
            except VersionError as error:
                raise FunctionError(str(error)) from None
        return self._made(self.numbers, text, self.metadata)

    def with_metadata(self, metadata: bytes) -> VersionValue:
        text = metadata.decode("utf-8", "replace")
        if text and not all(_LABEL.match(label) for label in text.split(".")):
            raise FunctionError("invalid metadata string")
        return self._made(self.numbers, self.prerelease, text)

    methods: ClassVar[dict[str, tuple[tuple[str, ...], Any]]] = {
        "IncMajor": ((), next_major),
        "IncMinor": ((), next_minor),
        "IncPatch": ((), next_patch),
        "Major": ((), lambda v: Uint64(v.numbers[0])),
        "Metadata": ((), lambda v: v.metadata.encode()),
        "Minor": ((), lambda v: Uint64(v.numbers[1])),
        "Patch": ((), lambda v: Uint64(v.numbers[2])),
        "Prerelease": ((), lambda v: v.prerelease.encode()),
        "SetMetadata": (("string",), with_metadata),
        "SetPrerelease": (("string",), with_prerelease),
        "String": ((), text),
        "Value": ((), text),
    }


class Version(VersionValue):
    """*semver.Version: what `semver` gives; comparisons are methods of this one alone."""

    __slots__ = ()
    go_type = "*semver.Version"
    go_kind = "ptr"
    methods: ClassVar[dict[str, tuple[tuple[str, ...], Any]]] = VersionValue.methods | {
        "Compare": (("*semver.Version",), VersionValue.compare),
        "Equal": (("*semver.Version",), lambda v, other: v.compare(other) == 0),
        "GreaterThan": (("*semver.Version",), lambda v, other: v.compare(other) > 0),
        "GreaterThanEqual": (("*semver.Version",), lambda v, other: v.compare(other) >= 0),
        "LessThan": (("*semver.Version",), lambda v, other: v.compare(other) < 0),
        "LessThanEqual": (("*semver.Version",), lambda v, other: v.compare(other) <= 0),
        "Original": ((), lambda v: v.original.encode()),
    }


def _check_prerelease(text: str) -> None:
    for label in text.split("."):
        if not _LABEL.match(label):
            raise VersionError("invalid prerelease string")
        if _NUMBER.match(label) and len(label) > 1 and label[0] == "0":
            raise VersionError("version segment starts with 0")


def parse_version(text: str) -> Version:
    """A version; minor and patch may be missing, a `v` may stand before it.

    Raises:
        VersionError: it is none.
    """
    found = _VERSION.match(text) if text.isascii() else None
    if found is None:
        raise VersionError("invalid semantic version")
    numbers = [int(part or "0") if len(part or "0") < 40 else _HIGHEST + 1 for part in found.groups()[:3]]
    for part, number in zip(found.groups(), numbers, strict=False):
        if number > _HIGHEST:
            raise VersionError(
                f'error parsing version segment: strconv.ParseUint: parsing "{part}": value out of range'
            )
    prerelease, metadata = found.group(4) or "", found.group(5) or ""
    if prerelease:
        _check_prerelease(prerelease)
    return Version((numbers[0], numbers[1], numbers[2]), prerelease, metadata, text)
