"""PKCS#12: archives are written here, as the libraries at hand leave those without a password unencrypted, and checked before
they are read, so that a wrong password is told from a broken archive.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from itertools import pairwise
from typing import Final, NamedTuple

from controllers.templating.gotemplate.der import (
    NULL,
    DerError,
    children,
    explicit,
    integer,
    octets,
    oid,
    sequence,
    set_of,
    tagged,
)

__all__ = ["ArchiveError", "Bag", "check_archive", "write_archive"]

_ROUNDS: Final = 2048
_SALT: Final = 16
_DATA: Final = oid("1.2.840.113549.1.7.1")
_ENCRYPTED_DATA: Final = oid("1.2.840.113549.1.7.6")
_PBES2: Final = oid("1.2.840.113549.1.5.13")
_PBKDF2: Final = oid("1.2.840.113549.1.5.12")
_HMAC_SHA256: Final = oid("1.2.840.113549.2.9")
_AES256_CBC: Final = oid("2.16.840.1.101.3.4.1.42")
_SHA256: Final = oid("2.16.840.1.101.3.4.2.1")
_SHROUDED_KEY: Final = oid("1.2.840.113549.1.12.10.1.2")
_CERT_BAG: Final = oid("1.2.840.113549.1.12.10.1.3")
_X509: Final = oid("1.2.840.113549.1.9.22.1")
_FRIENDLY_NAME: Final = oid("1.2.840.113549.1.9.20")
_LOCAL_KEY: Final = oid("1.2.840.113549.1.9.21")
_JAVA_TRUST: Final = oid("2.16.840.1.113894.746875.1.1")
_ANY_USAGE: Final = oid("2.5.29.37.0")
# Digests of the authentication code by their identifier: name and block size.
_DIGESTS: Final = {
    oid("1.3.14.3.2.26")[2:]: ("sha1", 64),
    oid("2.16.840.1.101.3.4.2.4")[2:]: ("sha224", 64),
    _SHA256[2:]: ("sha256", 64),
    oid("2.16.840.1.101.3.4.2.2")[2:]: ("sha384", 128),
    oid("2.16.840.1.101.3.4.2.3")[2:]: ("sha512", 128),
}
_DEPTH: Final = 16
_MOST_ROUNDS: Final = 1_000_000


class ArchiveError(ValueError):
    """An archive cannot be read; `str()` is what Go's library says."""


class Bag(NamedTuple):
    """A certificate of an archive in DER.

    Attributes:
        content: the certificate.
        trusted_as: the name in a Java trust store; None for a certificate of a chain.
        own: it belongs to the key.
    """

    content: bytes
    trusted_as: str | None = None
    own: bool = False


def _wide(password: str) -> bytes:
    """A password as two bytes per character and a final zero; what needs more than two bytes has no such form."""
    if any(ord(char) > 0xFFFF for char in password):
        raise ArchiveError("pkcs12: string contains characters that cannot be encoded in UCS-2")
    return password.encode("utf-16-be", "surrogatepass") + b"\0\0"


def _mac_key(digest: str, block: int, password: bytes, salt: bytes, rounds: int) -> bytes:
    """The key of the authentication code by the derivation of PKCS#12 (RFC 7292, appendix B)."""
    size = hashlib.new(digest).digest_size
    salt_block = (salt * (block // max(len(salt), 1) + 1))[: -(-len(salt) // block) * block] if salt else b""
    repeated = -(-len(password) // block) * block
    password_block = (password * (repeated // max(len(password), 1) + 1))[:repeated] if password else b""
    value = bytes([3]) * block + salt_block + password_block
    for _ in range(rounds):
        value = hashlib.new(digest, value, usedforsecurity=False).digest()
    return value[:size]


def _encrypt(password: str, plain: bytes) -> tuple[bytes, bytes]:
    """Algorithm identifier and ciphertext: PBES2 with AES-256."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt, start = secrets.token_bytes(_SALT), secrets.token_bytes(_SALT)
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS, 32)
    fill = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    sealed = encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()
    derivation = sequence(_PBKDF2, sequence(octets(salt), integer(_ROUNDS), sequence(_HMAC_SHA256, NULL)))
    return sequence(_PBES2, sequence(derivation, sequence(_AES256_CBC, octets(start)))), sealed


def _certificate_bag(bag: Bag) -> bytes:
    attributes = []
    if bag.own:
        identity = hashlib.sha1(bag.content, usedforsecurity=False).digest()
        attributes.append(sequence(_LOCAL_KEY, set_of(octets(identity))))
    if bag.trusted_as is not None:
        name = tagged(0x1E, bag.trusted_as.encode("utf-16-be", "replace"))
        attributes.append(sequence(_FRIENDLY_NAME, set_of(name)))
        attributes.append(sequence(_JAVA_TRUST, set_of(_ANY_USAGE)))
    content = explicit(0, sequence(_X509, explicit(0, octets(bag.content))))
    return sequence(_CERT_BAG, content, *([set_of(*attributes)] if attributes else []))


def write_archive(key: bytes | None, certificates: list[Bag], password: str) -> bytes:
    """An archive, encrypted and authenticated also by an empty password.

    Args:
        key: PKCS#8 in DER; None for a trust store.
        certificates: in this order.
        password: any text of the Basic Multilingual Plane.

    Raises:
        ArchiveError: the password has other characters.
    """
    wide = _wide(password)
    algorithm, sealed = _encrypt(password, sequence(*map(_certificate_bag, certificates)))
    encrypted = sequence(integer(0), sequence(_DATA, algorithm, tagged(0x80, sealed)))
    parts = [sequence(_ENCRYPTED_DATA, explicit(0, encrypted))]
    if key is not None:
        algorithm, sealed = _encrypt(password, key)
        identity = hashlib.sha1(certificates[0].content, usedforsecurity=False).digest()
        shrouded = sequence(
            _SHROUDED_KEY,
            explicit(0, sequence(algorithm, octets(sealed))),
            set_of(sequence(_LOCAL_KEY, set_of(octets(identity)))),
        )
        parts.append(sequence(_DATA, explicit(0, octets(sequence(shrouded)))))
    safe = sequence(*parts)
    salt = secrets.token_bytes(_SALT)
    code = hmac.digest(_mac_key("sha256", 64, wide, salt, _ROUNDS), safe, "sha256")
    mac = sequence(sequence(sequence(_SHA256, NULL), octets(code)), octets(salt), integer(_ROUNDS))
    return sequence(integer(3), sequence(_DATA, explicit(0, octets(safe))), mac)


def _unwrapped(content: bytes, tags: tuple[int, ...]) -> bytes:
    """What is within elements of these tags, each the only one of the one before."""
    for tag in tags:
        found = children(content)
        if len(found) != 1 or found[0][0] != tag:
            raise DerError("an element of another kind")
        content = found[0][1]
    return content


def _fault(archive: bytes) -> str:
    """Why bytes do not begin as an archive does, in the words of Go's encoding/asn1."""
    if not archive:
        return "syntax error: sequence truncated"
    if len(archive) < 2:
        return "syntax error: truncated tag or length"
    first, size, at = archive[0], archive[1], 2
    number = first & 0x1F
    if number == 0x1F:
        number = 0
        for at in range(1, len(archive)):
            number = number << 7 | archive[at] & 0x7F
            if archive[at] < 0x80:
                break
        else:
            return "syntax error: truncated base 128 integer"
        if at + 1 >= len(archive):
            return "syntax error: truncated tag or length"
        size, at = archive[at + 1], at + 2
    if size == 0x80:
        return "syntax error: indefinite length found (not DER)"
    if size > 0x80:
        digits = archive[at : at + (size & 0x7F)]
        if len(digits) < size & 0x7F:
            return "syntax error: truncated tag or length"
        at += len(digits)
        size = int.from_bytes(digits, "big")
        if digits[0] == 0:
            return "structure error: superfluous leading zeros in length"
        if size < 0x80:
            return "structure error: non-minimal length"
    if first != 0x30:
        compound = "true" if first & 0x20 else "false"
        return (
            f"structure error: tags don't match (16 vs {{class:{first >> 6} tag:{number} length:{size} isCompound:{compound}}})"
            " {optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0"
            f" timeType:0 set:false omitEmpty:false}} pfxPdu @{at}"
        )
    return "syntax error: data truncated" if at + size > len(archive) else "syntax error: sequence truncated"


def _rounds(safe: bytes) -> list[int]:
    """Rounds of key derivation that the contents ask for: small numbers within parameters of algorithms."""
    found, waiting = [0], [(safe, 0)]
    while waiting:
        content, depth = waiting.pop()
        try:
            elements = children(content)
        except DerError:
            continue
        after_salt = [inner for (tag, _), (following, inner) in pairwise(elements) if tag == 0x04 and following == 0x02]
        found += [int.from_bytes(inner, "big") for inner in after_salt]
        # Certificates and ciphertexts lie deeper than what is looked for.
        waiting += [(inner, depth + 1) for tag, inner in elements if (tag & 0x20 or tag == 0x04) and depth < _DEPTH]
    return found


def check_archive(archive: bytes, password: str) -> None:
    """Verifies the form of an archive and its authentication code.

    Raises:
        ArchiveError: it is no archive, or of another password.
    """
    try:
        top = children(archive)
        if top[0][0] != 0x30:
            raise DerError("the archive is no sequence")
        if len(top) > 1:
            raise ArchiveError("pkcs12: trailing data found")
        version, (_, info), *rest = children(top[0][1])
        if version[1] != b"\x03":
            raise ArchiveError("pkcs12: can only decode v3 PFX PDUs")
        (_, kind), (_, content) = children(info)
        if kind != _DATA[2:]:
            raise ArchiveError("pkcs12: only password-protected PFX is implemented")
        if not rest:
            if password:
                raise ArchiveError("pkcs12: no MAC in data")
            return
        safe = _unwrapped(content, (0x04,))
        (_, digest_info), (_, salt), *rounds = children(rest[0][1])
        (_, algorithm), (_, code) = children(digest_info)
        name = children(algorithm)[0][1]
        turns = int.from_bytes(rounds[0][1], "big") if rounds else 1
    except (DerError, ValueError, IndexError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"pkcs12: error reading P12 data: asn1: {_fault(archive)}") from None
    if name not in _DIGESTS:
        raise ArchiveError("pkcs12: unknown digest algorithm")
    if max(turns, *_rounds(safe)) > _MOST_ROUNDS:
        raise ArchiveError(f"pkcs12: the archive asks for more than {_MOST_ROUNDS} rounds of key derivation")
    digest, block = _DIGESTS[name]
    # Without a password some writers derive from nothing, others from an empty text with its final zero.
    for wide in (_wide(password), b"") if not password else (_wide(password),):
        if hmac.compare_digest(hmac.digest(_mac_key(digest, block, wide, salt, turns), safe, digest), code):
            return
    raise ArchiveError("pkcs12: decryption password incorrect")
