"""Hashes of passwords, and passwords derived from a master password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from controllers.templating.functions import stable
from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.quoting import text as readable

__all__: list[str] = []

GROUP = "Passwords"
_COST: Final = 10
_LONGEST: Final = 72
_HASH: Final = rb"\$2a\$10\$[./A-Za-z0-9]{53}"
_HASH_ALONE: Final = re.compile(_HASH)
_TOO_LONG: Final = b"failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"

_SEED: Final = b"com.lyndir.masterpassword"
_CHARACTERS: Final = {
    "V": b"AEIOU",
    "C": b"BCDFGHJKLMNPQRSTVWXYZ",
    "v": b"aeiou",
    "c": b"bcdfghjklmnpqrstvwxyz",
    "A": b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
    "a": b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
    "n": b"0123456789",
    "o": b"@&%?,=[]_:-+*$#!'^~;()/.",
    "x": b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
}
_TEMPLATES: Final = {
    b"maximum": "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno",
    b"long": "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv"
    " CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv"
    " CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno",
    b"medium": "CvcnoCvc CvcCvcno",
    b"short": "Cvcn",
    b"basic": "aaanaaan aannaaan aaannaaa",
    b"pin": "nnnn",
}


def _bcrypt(password: bytes, pattern: re.Pattern[bytes], prefix: bytes) -> bytes:
    """A hash behind a prefix: that of the last render if it still verifies."""
    import bcrypt as library

    if len(password) > _LONGEST:
        return prefix + _TOO_LONG
    kept = stable.keep(pattern, lambda found: library.checkpw(password, found[len(prefix) :]))
    if kept is not None:
        return kept
    return prefix + library.hashpw(password, library.gensalt(_COST, prefix=b"2a"))


@function("bcrypt", "string", "A bcrypt hash of cost 10; the hash of the last render stays while it verifies.", group=GROUP,
          example='{{ bcrypt "secret" }}', check=r"\$2a\$10\$[./A-Za-z0-9]{53}", pure=False, heavy=True)  # fmt: skip
def bcrypt(password: bytes) -> bytes:
    return _bcrypt(password, _HASH_ALONE, b"")


@function(
    "htpasswd",
    "string, string, string",
    "A line of an htpasswd file, by `sha` or else bcrypt; the hash of the last render stays while it verifies.",
    group=GROUP,
    example='{{ htpasswd "me" "pass" "sha" }}',
    result="me:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=",
    pure=False,
    heavy=True,
)
def htpasswd(user: bytes, password: bytes, algorithm: bytes) -> bytes:
    if b":" in user:
        return b"invalid username: " + user
    if algorithm == b"sha":
        return user + b":{SHA}" + base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest())
    line = re.compile(re.escape(user + b":") + _HASH)
    return _bcrypt(password, line, user + b":")


@function(
    "derivePassword",
    "uint32, string, string, string, string",
    "A password derived from counter, type (maximum long medium short basic pin), master password, user and site.",
    group=GROUP,
    example='{{ derivePassword 1 "long" "password" "user" "example.com" }}',
    result="ZedaFaxcZaso9*",
    heavy=True,
)
def derive_password(counter: int, kind: bytes, password: bytes, user: bytes, site: bytes) -> bytes:
    templates = _TEMPLATES.get(kind)
    if templates is None:
        return b"cannot find password template " + readable(kind).encode()
    salt = _SEED + len(user).to_bytes(4, "big") + user
    key = hashlib.scrypt(password, salt=salt, n=32768, r=8, p=2, dklen=64, maxmem=1 << 27)
    message = _SEED + len(site).to_bytes(4, "big") + site + (counter & 0xFFFF_FFFF).to_bytes(4, "big")
    seed = hmac.digest(key, message, "sha256")
    choices = templates.split()
    template = choices[seed[0] % len(choices)]
    letters = (_CHARACTERS[kind_] for kind_ in template)
    return bytes(letter[byte % len(letter)] for letter, byte in zip(letters, seed[1:], strict=False))
