"""JSON Web Keys become PEM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.templating.functions.jwk import jwk_private, jwk_public
from controllers.templating.functions.registry import FunctionError

FIXTURES = yaml.load(
    (Path(__file__).parents[1] / "vectors" / "template-vectors.yaml").read_text(), Loader=yaml.CSafeLoader
)["fixtures"]
X25519 = {"kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}


def fixture(name: str) -> bytes:
    """Key material of the vectors."""
    return str(FIXTURES[name]).encode()


def test_recorded_keys_come_out_as_recorded() -> None:
    """RSA, EC and Ed25519, private and public."""
    for jwk, pem in (("jwk_rsa", "rsa_key"), ("jwk_ec", "leaf_key"), ("jwk_ed", "ed_key")):
        assert jwk_private(fixture(jwk)) == fixture(pem)
    for jwk, pem in (("jwk_rsa_pub", "rsa_pub"), ("jwk_ec_pub", "leaf_pub")):
        assert jwk_public(fixture(jwk)) == fixture(pem)
    assert jwk_public(json.dumps(X25519).encode()).startswith(b"-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "failed to unmarshal JSON into key hint: EOF"),
        ("{", "failed to unmarshal JSON into key hint: unexpected EOF"),
        ("x", "failed to unmarshal JSON into key hint: invalid character 'x' looking for beginning of value"),
        ('{"kty":1}', "failed to unmarshal JSON into key hint: json: cannot unmarshal number into Go struct field .kty of type string"),
        ("{}", "invalid key type from JSON ()"),
        ('{"kty":"XX"}', "invalid key type from JSON (XX)"),
        ('{"kty":"RSA"}', "failed to unmarshal JSON into key (*jwk.rsaPublicKey): required field e is missing"),
        ('{"kty":"EC","crv":"P-256"}', "failed to unmarshal JSON into key (*jwk.ecdsaPublicKey): required field x is missing"),
        ('{"kty":"RSA","n":"!","e":"AQAB"}',
         "failed to unmarshal JSON into key (*jwk.rsaPublicKey): failed to decode value for key n: expected base64 encoded []byte (string)"),
        ('{"kty":"EC","crv":"P-999","x":"AQ","y":"AQ"}', "failed to build public key: invalid curve algorithm P-999"),
        ('{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}', "P256 point not on curve"),
        ('{"kty":"oct","k":"AQ"}', "x509: unsupported public key type: []uint8"),
    ],
)  # fmt: skip
def test_what_is_no_public_key_is_refused_with_the_originals_words(text: str, message: str) -> None:
    """What is wrong with the JSON, its members, or its numbers."""
    with pytest.raises(FunctionError) as raised:
        jwk_public(text.encode())
    assert str(raised.value) == message


def test_each_function_takes_its_own_half() -> None:
    """A private key is no public one and the other way round; text after the JSON does not matter."""
    with pytest.raises(FunctionError, match=r"^x509: unsupported public key type: \*rsa.PrivateKey$"):
        jwk_public(fixture("jwk_rsa"))
    with pytest.raises(FunctionError, match=r"^x509: unknown key type while marshaling PKCS#8: \*rsa.PublicKey$"):
        jwk_private(fixture("jwk_rsa_pub"))
    with pytest.raises(FunctionError, match=r"^x509: unknown key type while marshaling PKCS#8: \[\]uint8$"):
        jwk_private(fixture("jwk_oct"))
    assert jwk_public(fixture("jwk_ec_pub") + b" trailing") == fixture("leaf_pub")


def test_private_numbers_have_to_belong_together() -> None:
    """The prime factors may be missing, as they follow from the rest; wrong ones are refused."""
    key: dict[str, Any] = json.loads(fixture("jwk_rsa"))
    few = {name: key[name] for name in ("kty", "n", "e", "d")}
    assert jwk_private(json.dumps(few).encode()).startswith(b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(FunctionError, match="invalid private key"):
        jwk_private(json.dumps(key | {"p": "AQAB"}).encode())
