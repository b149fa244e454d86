"""Decoding strategies and the NUL policy."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.externalsecret.errors import ValueRefused
from controllers.externalsecret.values import check_nul, check_nul_map, decode, decode_map


@pytest.mark.parametrize(
    ("strategy", "value", "expected"),
    [
        ("", b"c3VyZQ==", b"c3VyZQ=="),
        ("None", b"c3VyZQ==", b"c3VyZQ=="),
        ("Base64", b"c3VyZT9+fn4/Pz8=", b"sure?~~~???"),
        ("Base64URL", b"c3VyZT9-fn4_Pz8=", b"sure?~~~???"),
        ("Base64", b"c3Vy\r\nZQ==\n", b"sure"),
        ("Base64", b"", b""),
        ("Auto", b"c3VyZT9+fn4/Pz8=", b"sure?~~~???"),
        ("Auto", b"c3VyZT9-fn4_Pz8=", b"sure?~~~???"),
        ("Auto", b"no base64 at all!", b"no base64 at all!"),
        ("Auto", b"abc", b"abc"),
    ],
)
def test_strategies_decode_what_they_name(strategy: str, value: bytes, expected: bytes) -> None:
    """Each strategy gives the bytes that its encoding stands for."""
    assert decode(strategy, value) == expected


@pytest.mark.parametrize(
    ("strategy", "value", "offset"),
    [
        ("Base64", b"%%%", 0),
        ("Base64", b"c3VyZT9-", 7),
        ("Base64URL", b"c3VyZT9+", 7),
        ("Base64", b"c3VyZQ", 6),
        ("Base64", b"c3VyZQ=", 7),
        ("Base64", b"c3VyZQ==x", 8),
        ("Base64", b"=", 0),
    ],
)
def test_failures_name_the_place_and_not_the_text(strategy: str, value: bytes, offset: int) -> None:
    """The error carries the offset of the bad byte; the value stays out of it."""
    with pytest.raises(ValueRefused) as caught:
        decode(strategy, value)
    assert (
        str(caught.value)
        == f"error applying decoding strategy {strategy} to data: illegal base64 data at input byte {offset}"
    )


def test_a_map_names_the_failing_key() -> None:
    """In a map the first bad key in byte order is reported."""
    with pytest.raises(ValueRefused, match="strategy Base64 to data: failure decoding key b: illegal base64"):
        decode_map("Base64", {"c": b"%", "b": b"%", "a": b"YQ=="})
    assert decode_map("Base64", {"a": b"YQ=="}) == {"a": b"a"}
    assert decode_map("", {"a": b"YQ=="}) == {"a": b"YQ=="}


def test_an_unknown_strategy_is_refused() -> None:
    """A strategy that the schema would not let in is an error."""
    with pytest.raises(ValueRefused, match="strategy Rot13 is not supported"):
        decode("Rot13", b"x")


@given(st.binary(max_size=200))
def test_decoding_undoes_encoding(value: bytes) -> None:
    """Both alphabets round-trip any bytes."""
    assert decode("Base64", base64.b64encode(value)) == value
    assert decode("Base64URL", base64.urlsafe_b64encode(value)) == value


def test_nul_bytes_are_refused_only_on_demand() -> None:
    """Policy Fail names the first key in byte order that has a NUL; other policies let it pass."""
    check_nul("", "k", b"a\0b")
    check_nul("Ignore", "k", b"a\0b")
    with pytest.raises(ValueRefused, match='value for key "a" contains null bytes'):
        check_nul_map("Fail", {"b": b"\0", "a": b"x\0", "c": b"ok"})
    check_nul_map("Fail", {"c": b"ok"})
