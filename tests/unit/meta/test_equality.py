"""Semantic equality and names of children."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.meta import ObjectKey, child_name, semantic_equal


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({}, {"labels": {}}, True),
        ({}, {"labels": None}, True),
        ({"items": []}, {}, True),
        ({"spec": {"emptyDir": {}}}, {"spec": {}}, False),
        ({"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"a": "c"}}}, False),
        ({"resources": {"limits": {"cpu": "1000m"}}}, {"resources": {"limits": {"cpu": 1}}}, True),
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "2"}}}, False),
        ({"resources": {"limits": {"cpu": "x"}}}, {"resources": {"limits": {"cpu": "1"}}}, False),
        ({"data": {"k": "1k"}}, {"data": {"k": "1000"}}, False),
        ({"startTime": "2026-01-01T00:00:00Z"}, {"startTime": "2026-01-01T01:00:00+01:00"}, True),
        ({"note": "2026-01-01T00:00:00Z"}, {"note": "2026-01-01T01:00:00+01:00"}, False),
        ({"n": 1}, {"n": True}, False),
        ({"l": [1, 2]}, {"l": [2, 1]}, False),
        ({"l": [{"x": None}]}, {"l": [{}]}, True),
    ],
)
def test_objects_are_compared_by_meaning(a: Any, b: Any, expected: bool) -> None:
    """H-22: absent, null and empty are alike where that is safe; values of data are compared as they are."""
    assert semantic_equal(a, b) is expected
    assert semantic_equal(b, a) is expected


def test_child_names_are_cut_with_a_hash() -> None:
    """H-41: stable, within the limit, and different for different owners."""
    assert child_name("es", ObjectKey("ns", "a")) == "es-ns-a"
    assert child_name("", "a") == "a"
    long = child_name("es", ObjectKey("ns", "x" * 100), 63)
    assert len(long) <= 63
    assert long == child_name("es", ObjectKey("ns", "x" * 100), 63)
    assert long != child_name("es", ObjectKey("ns", "x" * 101), 63)
    assert child_name("a" * 60 + "-b", "c", 40) != child_name("a" * 60, "b-c", 40)
    with pytest.raises(ValueError, match="maximum must be at least 10"):
        child_name("a", "b", 5)
