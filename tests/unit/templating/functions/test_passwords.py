"""Hashes of passwords and derived passwords."""

from __future__ import annotations

import bcrypt as library
import pytest

from controllers.templating.functions.passwords import bcrypt, derive_password, htpasswd


def test_hashes_verify() -> None:
    """Cost 10 and Go's prefix; NUL bytes count."""
    made = bcrypt(b"a\0b")
    assert made.startswith(b"$2a$10$")
    assert library.checkpw(b"a\0b", made)
    assert not library.checkpw(b"a", made)
    line = htpasswd(b"me", b"pass", b"anything")
    assert line.startswith(b"me:$2a$10$")
    assert library.checkpw(b"pass", line[3:])


def test_what_cannot_be_hashed_is_said_in_the_result() -> None:
    """These functions never fail."""
    long = b"failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
    assert bcrypt(b"x" * 73) == long
    assert htpasswd(b"u", b"x" * 73, b"bcrypt") == b"u:" + long
    assert htpasswd(b"a:b", b"p", b"sha") == b"invalid username: a:b"
    assert htpasswd(b"me", b"pass", b"sha") == b"me:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ="
    assert derive_password(1, b"nope", b"", b"", b"") == b"cannot find password template nope"


@pytest.mark.parametrize(
    ("counter", "kind", "password", "user", "site", "derived"),
    [
        (1, "long", "password", "user", "example.com", "ZedaFaxcZaso9*"),
        (1, "pin", "password", "user", "example.com", "6685"),
        (2, "maximum", "p", "u", "s", "GVrMlwPINBRhIcQLa58%"),
        (1 << 32, "pin", "", "", "", "2847"),
    ],
)  # fmt: skip
def test_derived_passwords_are_those_of_the_known_algorithm(
    counter: int, kind: str, password: str, user: str, site: str, derived: str
) -> None:
    """The counter has 32 bits."""
    found = derive_password(counter, kind.encode(), password.encode(), user.encode(), site.encode())
    assert found == derived.encode()
