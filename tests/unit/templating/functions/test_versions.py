"""Semantic versions and constraints."""

from __future__ import annotations

import pytest

from controllers.templating.functions.registry import FunctionError
from controllers.templating.functions.versions import semver, semver_compare
from controllers.templating.gotemplate.fmt import sprintf
from controllers.templating.gotemplate.jsonencode import encode_json
from controllers.templating.gotemplate.values import Uint64, kind_of, type_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v1.2", "1.2.0"),
        ("1", "1.0.0"),
        ("01.2.3", "1.2.3"),
        ("1.2.3-beta.1+build", "1.2.3-beta.1+build"),
        ("1-a", "1.0.0-a"),
    ],
)
def test_versions_are_read_leniently(text: str, shown: str) -> None:
    """Missing numbers are zero; the original text is kept."""
    version = semver(text.encode())
    assert version.text() == shown.encode()
    assert version.methods["Original"][1](version) == text.encode()
    assert encode_json(version) == b'"' + shown.encode() + b'"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "invalid semantic version"),
        ("1.2.3.4", "invalid semantic version"),
        ("1.2.3-01", "version segment starts with 0"),
        ("99999999999999999999", 'error parsing version segment: strconv.ParseUint: parsing "99999999999999999999": value out of range'),
    ],
)  # fmt: skip
def test_bad_versions_are_refused(text: str, message: str) -> None:
    """With the words of the original."""
    with pytest.raises(FunctionError) as raised:
        semver(text.encode())
    assert str(raised.value) == message


def test_versions_have_methods() -> None:
    """Numbers are uint64; following versions are values, which cannot be compared."""
    version = semver(b"v1.2.3-rc.1+b")
    call = {name: entry[1] for name, entry in version.methods.items()}
    assert type(call["Major"](version)) is Uint64
    assert call["IncPatch"](version).text() == b"1.2.3"
    assert call["IncMinor"](version).text() == b"1.3.0"
    assert call["IncMajor"](version).original == "v2.0.0"
    assert call["SetPrerelease"](version, b"a").text() == b"1.2.3-a+b"
    assert call["LessThan"](version, semver(b"1.2.3")) is True
    assert call["Compare"](semver(b"1.0.0-2"), semver(b"1.0.0-10")) == -1
    assert "Compare" not in call["IncMajor"](version).methods
    assert (type_name(version), kind_of(version)) == ("*semver.Version", "ptr")
    assert sprintf(b"%d", [semver(b"1.2.3")]) == b"&{1 2 3 %!d(string=) %!d(string=) %!d(string=1.2.3)}"
    with pytest.raises(FunctionError, match="^version segment starts with 0$"):
        call["SetPrerelease"](version, b"01")
    with pytest.raises(FunctionError, match="^invalid metadata string$"):
        call["SetMetadata"](version, b"_")


@pytest.mark.parametrize(
    ("constraint", "version", "holds"),
    [
        ("^1.2.0", "1.9.0", True), ("^1.2.0", "2.0.0", False), ("^0.2.3", "0.3.0", False), ("^0.0.3", "0.0.4", False), ("^0", "0.9.1", True),
        ("~1.2", "1.2.9", True), ("~1.2.3", "1.3.0", False), ("~1", "1.9.0", True),
        (">=1.0.0, <2.0.0 || >3", "4.0.0", True), (">11", "11.1.0", False), (">11.1", "11.2.0", True), ("<=1.2", "1.2.9", True),
        ("*", "1.0.0-rc1", False), (">=1.0.0-0", "1.0.0-rc1", True), ("1.x", "1.7", True), ("1.2 - 1.4", "1.3.5", True),
        ("1.2 - 1.4", "1.4.9", True), ("!=1.0", "1.1.0", True), ("!=1.x", "1.1.0", False), ("=1.2.3", "1.2.3", True),
    ],
)  # fmt: skip
def test_constraints_hold_or_do_not(constraint: str, version: str, holds: bool) -> None:
    """Ranges, wildcards, alternatives; prereleases only where one is named."""
    assert semver_compare(constraint.encode(), version.encode()) is holds


@pytest.mark.parametrize("constraint", ["??", "", ">", "1.2 ||", "1" * 5000 + " !"])
def test_bad_constraints_are_refused(constraint: str) -> None:
    """The message quotes the part that is none."""
    with pytest.raises(FunctionError, match="^improper constraint: "):
        semver_compare(constraint.encode(), b"1.0.0")


def test_numbers_of_any_length_are_compared() -> None:
    """Beyond 64 bits they count as words."""
    long = "9" * 5000
    assert semver_compare(f">1.0.0-{long}".encode(), b"1.0.0-1") is False
    assert semver_compare(b">1.0.0-1", f"1.0.0-{long}".encode()) is True
