"""Salted functions keep the results of the last render while these verify."""

from __future__ import annotations

import base64

from controllers.templating import render
from controllers.templating.budget import Budget, metered
from controllers.templating.functions import stable
from controllers.templating.functions.archives import pem_pass, truststore_pass
from controllers.templating.functions.ciphers import encrypt_aes
from controllers.templating.functions.passwords import bcrypt, htpasswd
from controllers.templating.functions.samples import CERTIFICATE, KEY


def test_a_hash_stays_while_the_password_is_the_same() -> None:
    """Another password, another user, or no previous value make a new one."""
    first = htpasswd(b"me", b"pass", b"bcrypt")
    with stable.previous({"auth": b"# users\n" + first + b"\n"}):
        assert htpasswd(b"me", b"pass", b"bcrypt") == first
    with stable.previous({"auth": first}):
        assert htpasswd(b"me", b"changed", b"bcrypt") != first
        assert htpasswd(b"you", b"pass", b"bcrypt").startswith(b"you:$2a$10$")
    with stable.previous(None):
        assert htpasswd(b"me", b"pass", b"bcrypt") != first
    assert htpasswd(b"me", b"pass", b"bcrypt") != first


def test_each_result_is_kept_once_and_in_order() -> None:
    """Two calls with the same password keep two hashes, a third makes a new one."""
    made = [bcrypt(b"x"), bcrypt(b"x")]
    with stable.previous({"k": b" ".join(made)}):
        again = [bcrypt(b"x"), bcrypt(b"x"), bcrypt(b"x")]
    assert again[:2] == made
    assert again[2] not in made


def test_hashes_within_base64_are_found() -> None:
    """As `htpasswd ... | b64enc` leaves them."""
    first = bcrypt(b"x")
    with stable.previous({"k": b"auth: " + base64.b64encode(b"user:" + first + b"\n")}):
        assert bcrypt(b"x") == first


def test_weak_or_foreign_hashes_are_not_taken_over() -> None:
    """Only results that the function itself could have made."""
    import bcrypt as library

    weak = library.hashpw(b"x", library.gensalt(4, prefix=b"2a"))
    with stable.previous({"k": weak}):
        assert bcrypt(b"x") != weak


def test_encrypted_text_stays_while_it_decrypts_to_the_same() -> None:
    """Key or text changed: new ciphertext."""
    first = encrypt_aes(b"k", b"plain")
    with stable.previous({"k": b"value: " + first + b"\n"}):
        assert encrypt_aes(b"other", b"plain") != first
        assert encrypt_aes(b"k", b"plai") != first
        assert encrypt_aes(b"k", b"plain") == first


def test_archives_stay_while_they_hold_the_same() -> None:
    """Same key, certificates and password; in base64 or decoded, as the Secret has it."""
    crt, key = CERTIFICATE.encode(), KEY.encode()
    first = pem_pass(crt, key, b"pw")
    with stable.previous({"p12": first}):
        assert pem_pass(crt, key, b"other") != first
        assert pem_pass(crt, key, b"pw") == first
    with stable.previous({"p12": base64.b64decode(first)}):
        assert base64.b64decode(pem_pass(crt, key, b"pw")) == base64.b64decode(first)
    store = truststore_pass(crt, b"pw")
    with stable.previous({"p12": store}):
        assert truststore_pass(crt, b"pw") == store


def test_previous_values_without_a_result_cost_nothing() -> None:
    """Binary, large or unrelated texts are passed over."""
    with stable.previous({"a": b"\xff" * 100, "b": b"A" * 1000, "c": b"x" * (5 * 1024 * 1024)}):
        assert bcrypt(b"x").startswith(b"$2a$10$")


def test_a_render_that_starts_over_takes_the_same_results() -> None:
    """What the first attempt took is free again for the second."""
    first = encrypt_aes(b"k", b"plain")
    with stable.previous({"k": first}):
        for _ in range(2):
            with metered(Budget()):
                assert encrypt_aes(b"k", b"plain") == first
                assert encrypt_aes(b"k", b"plain") != first


def test_templates_keep_their_results_by_the_engine() -> None:
    """The block reaches the functions of a render."""
    template = '{{ htpasswd "me" .p "bcrypt" }}'
    first = render(template, {"p": b"x"})
    with stable.previous({"auth": first}):
        assert render(template, {"p": b"x"}) == first
        assert render(template, {"p": b"y"}) != first
