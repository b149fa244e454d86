"""Places in an object."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.externalsecret.paths import InvalidPath, merge_at, parse_path, set_at


@pytest.mark.parametrize(
    ("text", "steps"),
    [("a", ("a",)), ("spec.a.b", ("spec", "a", "b")), ("a[0][12].c", ("a", 0, 12, "c"))],
)
def test_paths_are_names_and_indexes(text: str, steps: tuple[str | int, ...]) -> None:
    """Dots part names; each may have indexes."""
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a..b", 'invalid path "a..b": empty segment'),
        ("", 'invalid path "": empty segment'),
        ("a[1", "invalid path \"a[1\": unterminated '['"),
        ("a[x]", 'invalid path "a[x]": bad index "x"'),
        ("a[-1]", 'invalid path "a[-1]": negative index -1'),
        ("a[10001]", 'invalid path "a[10001]": index 10001 exceeds maximum (10000)'),
        ("[0]", 'invalid path "[0]": path must start with a key'),
        ("a[0]x", 'invalid path "a[0]x": expected \'[\' near "x"'),
    ],
)
def test_what_is_wrong_with_a_path_is_said(text: str, problem: str) -> None:
    """In the words that users of the original know."""
    with pytest.raises(InvalidPath) as caught:
        parse_path(text)
    assert str(caught.value) == problem


def test_what_is_missing_on_the_way_is_made() -> None:
    """Mappings and lists; lists are filled up with null."""
    root: dict[str, Any] = {}
    set_at(root, "spec.list[2].name", "x")
    assert root == {"spec": {"list": [None, None, {"name": "x"}]}}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a.b", 'failed to set path a.b: expected map at key "b" but found string'),
        ("a[0]", "failed to set path a[0]: expected array at index 0 but found string"),
        ("l.b", 'failed to set path l.b: expected map at key "b" but found []interface {}'),
    ],
)
def test_another_kind_on_the_way_is_an_error(path: str, problem: str) -> None:
    """Nothing that is there is thrown away to get through."""
    with pytest.raises(InvalidPath) as caught:
        set_at({"a": "text", "l": [1]}, path, 1)
    assert str(caught.value) == problem


def test_mappings_are_laid_over_mappings_below_the_top() -> None:
    """One level deep; a single name is replaced."""
    root: dict[str, Any] = {"spec": {"a": {"x": 1, "y": {"z": 1}}}}
    merge_at(root, "spec.a", {"y": {"q": 2}})
    assert root == {"spec": {"a": {"x": 1, "y": {"q": 2}}}}
    merge_at(root, "spec", {"n": 1})
    assert root == {"spec": {"n": 1}}
