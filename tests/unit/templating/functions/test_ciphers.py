"""AES with a password comes back."""

from __future__ import annotations

import pytest

from controllers.templating.functions.ciphers import decrypt_aes, encrypt_aes
from controllers.templating.functions.registry import FunctionError


def test_text_comes_back() -> None:
    """A known ciphertext, texts of all lengths around a block; empty text stays empty."""
    assert decrypt_aes(b"secretkey", b"30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=") == b"plaintext"
    for size in (1, 15, 16, 17, 40):
        assert decrypt_aes(b"k" * 40, encrypt_aes(b"k" * 32, b"x" * size)) == b"x" * size
    assert encrypt_aes(b"k", b"") == decrypt_aes(b"k", b"") == b""
    assert encrypt_aes(b"k", b"same") != encrypt_aes(b"k", b"same")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"!!", "illegal base64 data at input byte 0"),
        (b"A===", "illegal base64 data at input byte 1"),
        (b"YWJj", "runtime error: slice bounds out of range [:16] with capacity 3"),
        (b"AAECAwQFBgcICQoLDA0ODw==", "runtime error: index out of range [-1]"),
        (b"AAECAwQFBgcICQoLDA0ODxA=", "crypto/cipher: input not full blocks"),
        (b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "runtime error: slice bounds out of range [:-99]"),
    ],
)
def test_what_is_no_ciphertext_is_refused_with_the_originals_words(text: bytes, message: str) -> None:
    """Bad base64, too short, not of whole blocks, filled up with more than there is."""
    with pytest.raises(FunctionError) as raised:
        decrypt_aes(b"k", text)
    assert str(raised.value) == message
