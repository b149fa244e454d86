"""UUID, Fake, MFA and SSHKey."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from eso_core.testing.clock import FakeClock
from generators.errors import GeneratorFailed, InvalidGenerator
from generators.fake import FakeGenerator, FakeSpec
from generators.interface import GeneratorContext
from generators.mfa import MFAGenerator, MFASpec
from generators.sshkey import SSHKeyGenerator, SSHKeySpec
from generators.uuids import UUIDGenerator, UUIDSpec
from providers.testing import MemoryCluster

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def context(kube: MemoryCluster | None = None, clock: FakeClock | None = None) -> GeneratorContext:
    return GeneratorContext("ns", kube or MemoryCluster(), clock or FakeClock())


async def test_a_uuid_is_a_random_one_in_lower_case() -> None:
    """Version 4."""
    values = [(await UUIDGenerator().generate(UUIDSpec(), context())).values["uuid"].decode() for _ in range(2)]
    assert values[0] != values[1]
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", v) for v in values)


async def test_fake_returns_what_it_is_told_and_shows_nothing() -> None:
    """Not in the repr of its spec or its result."""
    spec = FakeSpec.model_validate({"data": {"a": "planted-value", "b": ""}})
    made = await FakeGenerator().generate(spec, context())
    assert made.values == {"a": b"planted-value", "b": b""}
    assert "planted" not in repr(spec) + repr(made)


async def code(kube: MemoryCluster, **fields: Any) -> tuple[str, str]:
    spec = MFASpec.model_validate({"secret": {"name": "seed", "key": "s"}, **fields})
    values = (await MFAGenerator().generate(spec, context(kube))).values
    return values["token"].decode(), values["timeLeft"].decode()


@pytest.mark.parametrize(
    ("when", "wanted", "left"),
    [
        ("1970-01-01T00:00:59Z", "94287082", "1"),
        ("2005-03-18T01:58:29Z", "07081804", "1"),
        ("2005-03-18T01:58:31Z", "14050471", "29"),
        ("2009-02-13T23:31:30Z", "89005924", "30"),
        ("2033-05-18T03:33:20Z", "69279037", "10"),
        ("2603-10-11T11:33:20Z", "65353130", "10"),
    ],
)
async def test_codes_are_those_of_the_rfc(when: str, wanted: str, left: str) -> None:
    """RFC 6238, appendix B, SHA-1; the algorithm that is asked for does not count."""
    kube = MemoryCluster()
    kube.put("Secret", "ns", "seed", s=SEED)
    assert await code(kube, when=when, length=8) == (wanted, left)
    assert await code(kube, when=when, length=8, algorithm="sha256") == (wanted, left)
    assert (await code(kube, when=when))[0] == wanted[-6:]


async def test_the_clock_is_asked_without_a_fixed_instant() -> None:
    """Zero and negative numbers mean the defaults."""
    kube = MemoryCluster()
    kube.put("Secret", "ns", "seed", s=SEED)
    spec = MFASpec.model_validate({"secret": {"name": "seed", "key": "s"}, "length": 0, "timePeriod": -1})
    clock = FakeClock(start=datetime(1970, 1, 1, 0, 0, 59, tzinfo=UTC))
    values = (await MFAGenerator().generate(spec, context(kube, clock))).values
    assert values == {"token": b"287082", "timeLeft": b"1"}


async def test_a_seed_is_base32_without_padding_spaces_apart() -> None:
    """Lower case, blanks and line ends are fine."""
    kube = MemoryCluster()
    kube.put("Secret", "ns", "seed", s="gezd gnbv gy3t qojq gezd gnbv gy3t qojq\r\n")
    assert (await code(kube, when="1970-01-01T00:00:59Z", length=8))[0] == "94287082"
    for bad in ("MFRGG===", "planted-1!"):
        kube.put("Secret", "ns", "seed", s=bad)
        with pytest.raises(GeneratorFailed, match="failed to generate OTP code") as caught:
            await code(kube)
        assert bad not in str(caught.value)


@pytest.mark.parametrize("rest", ["A", "AB2", "ABCDEF"])
async def test_the_end_of_a_seed_that_makes_no_whole_bytes_does_not_count(rest: str) -> None:
    """One, three or six characters too many: the code of the rest, as before, and no failure of what has worked."""
    kube = MemoryCluster()
    kube.put("Secret", "ns", "seed", s=SEED + rest)
    assert (await code(kube, when="1970-01-01T00:00:59Z", length=8))[0] == "94287082"
    kube.put("Secret", "ns", "seed", s=SEED + rest + "!")
    with pytest.raises(GeneratorFailed, match=f"illegal base32 data at input byte {len(SEED + rest)}"):
        await code(kube)


async def test_a_missing_seed_is_named() -> None:
    """The Secret, or its key."""
    kube = MemoryCluster()
    with pytest.raises(GeneratorFailed, match="failed to find secret for token key: .*seed"):
        await code(kube)
    kube.put("Secret", "ns", "seed", other="x")
    with pytest.raises(GeneratorFailed, match="secret key s does not exist in secret data map"):
        await code(kube)


async def pair(**fields: Any) -> tuple[bytes, bytes]:
    values = (await SSHKeyGenerator().generate(SSHKeySpec.model_validate(fields), context())).values
    return values["privateKey"], values["publicKey"]


@pytest.mark.parametrize(
    ("fields", "prefix", "check"),
    [
        ({}, b"ssh-rsa ", lambda key: isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048),
        ({"keySize": 3072}, b"ssh-rsa ", lambda key: key.key_size == 3072),
        ({"keyType": "ecdsa"}, b"ecdsa-sha2-nistp256 ", lambda key: isinstance(key.curve, ec.SECP256R1)),
        ({"keyType": "ecdsa", "keySize": 384}, b"ecdsa-sha2-nistp384 ", lambda key: key.key_size == 384),
        ({"keyType": "ecdsa", "keySize": 521}, b"ecdsa-sha2-nistp521 ", lambda key: key.key_size == 521),
        ({"keyType": "ecdsa", "keySize": 300}, b"ecdsa-sha2-nistp256 ", lambda key: key.key_size == 256),
        (
            {"keyType": "ed25519", "keySize": 300},
            b"ssh-ed25519 ",
            lambda key: isinstance(key, ed25519.Ed25519PrivateKey),
        ),
    ],
)
@pytest.mark.parametrize("comment", ["", "ines@example.org", "eight888"])
async def test_pairs_belong_together(
    fields: dict[str, Any], prefix: bytes, check: Any, comment: str, tmp_path: Path
) -> None:
    """In the formats of OpenSSH, with the comment in both files."""
    private, public = await pair(comment=comment, **fields)
    assert private.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----\n") and private.endswith(b"PRIVATE KEY-----\n")
    assert max(map(len, private.splitlines())) <= 64
    key = load_ssh_private_key(private, None)
    assert check(key)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert line.startswith(prefix)
    assert public == line + (f" {comment}".encode() if comment else b"") + b"\n"
    if shutil.which("ssh-keygen"):
        file = tmp_path / "key"
        file.write_bytes(private)
        file.chmod(0o600)
        shown = subprocess.run(["ssh-keygen", "-y", "-f", str(file)], capture_output=True, check=True).stdout
        assert shown == public


async def test_keys_that_cannot_be_are_refused() -> None:
    """Too small for the library, or a comment of two lines."""
    with pytest.raises(InvalidGenerator, match="unable to generate SSH key"):
        await pair(keySize=512)
    with pytest.raises(InvalidGenerator, match="must be one line"):
        await pair(keyType="ed25519", comment="a\nb")
