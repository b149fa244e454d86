"""Names and hashes that clusters already hold."""

from __future__ import annotations

import pytest

from controllers.externalsecret.names import (
    data_hash,
    digest,
    field_manager,
    owner_label_value,
    sync_version,
    text_form,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b"),
        ({"foo": b"value1", "bar": b"value2"}, "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64"),
        ({"user": b"foo", "pass": b"bar"}, "a082e5721c45b93a7cc9b0453ede276bb68b0aaa3d58374c2ca4f779"),
    ],
)
def test_data_hash_is_the_one_that_existing_secrets_carry(data: dict[str, bytes], expected: str) -> None:
    """The hash of Secret data equals the value that the original writes."""
    assert data_hash(data) == expected


def test_owner_label_hashes_namespace_and_name() -> None:
    """The created-by label is the hash of namespace/name."""
    assert owner_label_value("default", "my-es") == "b8464376b5fe3535e690594280bfe59b60be2603cb6cbb6d6c8bcbb4"


def test_sync_version_counts_every_label_and_annotation() -> None:
    """Generation and metadata hash make the sync version; absent and empty metadata are the same."""
    assert sync_version(1, None, {}) == "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2"
    assert (
        sync_version(7, {"app": "web"}, {"b": "2", "a": "1"})
        == "7-f27e0fe23f97f0eb94014b020d1502f26602dfc9d585b3342fca9b88"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ({"b": 1, "a": None}, "map[a:<nil> b:1]"),
        ({}, "map[]"),
        (b"", "[]"),
        (b"\x00\xff", "[0 255]"),
        ([True, False, "x", {"k": []}], "[true false x map[k:[]]]"),
        (0.0, "0"),
        (1.5, "1.5"),
        (-0.25, "-0.25"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e22, "1.25e+22"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123456.789, "123456.789"),
        (-1.5e-7, "-1.5e-07"),
        (float("inf"), "+Inf"),
    ],
)
def test_text_form_follows_the_table(value: object, expected: str) -> None:
    """Every type of a hashed object has one text."""
    assert text_form(value) == expected


def test_text_form_refuses_what_cannot_occur() -> None:
    """A value of another type is an error, not a guess."""
    with pytest.raises(TypeError, match="set"):
        text_form({1, 2})


def test_keys_are_sorted_by_bytes() -> None:
    """Upper case sorts before lower case and non-ASCII last, whatever the locale."""
    assert text_form({"é": "3", "a": "2", "B": "1"}) == "map[B:1 a:2 é:3]"


def test_long_names_get_a_hashed_field_manager() -> None:
    """Names of up to 27 characters stay readable, longer ones are hashed."""
    assert field_manager("a" * 27) == "externalsecrets.external-secrets.io/" + "a" * 27
    assert field_manager("a" * 28) == f"externalsecrets.external-secrets.io/sha3/{digest('a' * 28)}"
    assert len(field_manager("a" * 253)) <= 128
