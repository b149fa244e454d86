"""Passwords: exact numbers, nothing twice, clear errors where the draw would never end."""

from __future__ import annotations

import base64
import string
from typing import Any

import pytest

from eso_core.testing.clock import FakeClock
from generators.errors import InvalidGenerator
from generators.interface import GeneratorContext
from generators.password import SYMBOLS, PasswordGenerator, PasswordSpec, make_password
from providers.testing import MemoryCluster


def spec(**fields: Any) -> PasswordSpec:
    return PasswordSpec.model_validate(fields)


def classes(password: bytes, symbols: str = SYMBOLS) -> tuple[int, int, int]:
    """Letters, digits, symbols."""
    text = password.decode()
    return (
        sum(char in string.ascii_letters for char in text),
        sum(char in string.digits for char in text),
        sum(char in symbols for char in text),
    )


async def generate(**fields: Any) -> dict[str, bytes]:
    context = GeneratorContext("ns", MemoryCluster(), FakeClock())
    return (await PasswordGenerator().generate(spec(**fields), context)).values


def test_the_defaults_are_24_characters_a_quarter_digits_a_quarter_symbols_nothing_twice() -> None:
    """Over many draws; both cases may occur, neither must."""
    assert len(SYMBOLS) == 30
    seen = set()
    for _ in range(300):
        password = make_password(spec())
        assert classes(password) == (12, 6, 6)
        assert len(set(password)) == 24
        seen.add(password)
    assert len(seen) == 300
    assert classes(make_password(spec(length=25))) == (13, 6, 6)
    assert len(make_password(spec(length=0))) == len(make_password(spec(length=-3))) == 24


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"length": 10, "digits": 10}, (-1, 10, 0)),
        ({"length": 5, "digits": 2, "symbols": 3}, (0, 2, 3)),
        ({"length": 8, "digits": 0, "symbols": 0}, (8, 0, 0)),
        ({"length": 43}, (23, 10, 10)),
        ({"length": 26, "digits": 0, "symbols": 0, "noUpper": True}, (26, 0, 0)),
        ({"length": 200, "digits": 100, "symbols": 50, "allowRepeat": True}, (50, 100, 50)),
    ],
)
def test_numbers_are_exact(fields: dict[str, Any], wanted: tuple[int, int, int]) -> None:
    """An explicit 0 means none; digits and symbols may fill the whole length."""
    if wanted[0] < 0:
        with pytest.raises(InvalidGenerator, match="number of digits and symbols must be less than total length"):
            make_password(spec(**fields))
        return
    password = make_password(spec(**fields))
    assert classes(password) == wanted
    if fields.get("noUpper"):
        assert password.decode().islower()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"length": 4, "digits": 3, "symbols": 2}, "number of digits and symbols must be less than total length"),
        ({"length": 44}, "number of digits exceeds available digits and repeats are not allowed"),
        ({"length": 27, "digits": 0, "symbols": 0, "noUpper": True}, "number of letters exceeds available letters"),
        ({"length": 53, "digits": 0, "symbols": 0}, "number of letters exceeds available letters"),
        ({"length": 9, "digits": 0, "symbols": 4, "symbolCharacters": "!?"}, "number of symbols exceeds available"),
        ({"length": 4, "digits": 0, "symbols": 2, "symbolCharacters": "!!"}, "number of symbols exceeds available"),
        (
            {"length": 27, "digits": 0, "symbols": 1, "noUpper": True, "symbolCharacters": "a"},
            "number of symbols exceeds",
        ),
        ({"length": 10, "digits": -1}, "must not be negative"),
        ({"length": 2_000_000}, "spec.length: 2000000 is more than 1000000"),
    ],
)
def test_what_cannot_be_is_an_error_and_never_a_loop(fields: dict[str, Any], message: str) -> None:
    """Where the original draws for ever: doubled symbols, or symbols that are letters too."""
    with pytest.raises(InvalidGenerator, match=message):
        make_password(spec(**fields))


def test_the_empty_set_of_symbols_means_the_default_one() -> None:
    """As if the field were absent."""
    assert classes(make_password(spec(symbolCharacters="", length=8, symbols=4)))[2] == 4


def test_places_are_random() -> None:
    """Digits are not always behind letters."""
    first = {chr(make_password(spec(length=4, digits=2, symbols=0))[0]).isdigit() for _ in range(100)}
    assert first == {True, False}


@pytest.mark.parametrize(
    ("encoding", "decode"),
    [
        ("raw", bytes),
        ("base64", base64.b64decode),
        ("base64url", base64.urlsafe_b64decode),
        ("base32", base64.b32decode),
        ("hex", lambda text: bytes.fromhex(text.decode())),
    ],
)
async def test_the_length_counts_before_encoding(encoding: str, decode: Any) -> None:
    """Each of the five encodings."""
    (value,) = (await generate(encoding=encoding)).values()
    assert classes(decode(value)) == (12, 6, 6)
    if encoding == "hex":
        assert value == value.lower() and len(value) == 48


async def test_every_key_gets_a_password_of_its_own() -> None:
    """And keys must be there, and differ."""
    values = await generate(secretKeys=["a", "b"])
    assert sorted(values) == ["a", "b"] and values["a"] != values["b"]
    assert list(await generate()) == ["password"]
    for keys in (["a", "a"], [""], []):
        with pytest.raises(InvalidGenerator, match="secretKeys must be non-empty and unique"):
            await generate(secretKeys=keys)
