"""What a reference picks out of a Secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from providers.errors import InvalidData, NoSecret
from providers.interface import MetadataPolicy, RemoteRef
from providers.kubernetes.documents import Document, data_text, select, select_map


def secret(meta: dict[str, Any] | None = None, **data: bytes) -> Document:
    encoded = {key.replace("__", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return Document("s", {"metadata": {"name": "s", **(meta or {})}, "data": encoded})


def fetch(prop: str = "") -> RemoteRef:
    return RemoteRef("s", prop, metadata_policy=MetadataPolicy.FETCH)


def test_without_a_property_the_data_is_a_json_object_of_texts() -> None:
    """Sorted members, no HTML escaping, one U+FFFD for each byte that is no UTF-8."""
    assert select(secret(b=b"<a&b>", a=b"\xe2\x82x"), RemoteRef("s")) == '{"a":"\ufffd\ufffdx","b":"<a&b>"}'.encode()


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        ("cfg", b'{"db": {"ports": [1, 2]}, "on": true}'),
        ("cfg.db.ports.1", b"2"),
        ("cfg.on", b"true"),
        ("cfg.json", b'{"x": "dotted"}'),
        ("cfg.json.x", None),
        (".cfg", None),
        ("cfg.", None),
        ("nothing", None),
        ("nothing.db", None),
    ],
)
def test_a_property_is_a_key_or_a_key_and_a_path(prop: str, value: bytes | None) -> None:
    """A key with dots comes first; the first dot ends the key otherwise, so a path into a dotted key is not found."""
    document = secret(cfg=b'{"db": {"ports": [1, 2]}, "on": true}', cfg__json=b'{"x": "dotted"}')
    if value is not None:
        assert select(document, RemoteRef("s", prop)) == value
        return
    with pytest.raises(InvalidData, match=f'^property {prop} does not exist in data of secret "s"$'):
        select(document, RemoteRef("s", prop))


def test_binary_values_come_back_byte_for_byte() -> None:
    """As a property, and as a member of a map."""
    document = secret(bin=b"\xff\x00\x01\xfe")
    assert select(document, RemoteRef("s", "bin")) == b"\xff\x00\x01\xfe"
    assert select_map(document, RemoteRef("s")) == {"bin": b"\xff\x00\x01\xfe"}


def test_metadata_is_read_whole_by_part_and_by_name() -> None:
    """An absent part is null; parts of a longer path are joined without their dots."""
    meta = {"annotations": {"team": "blue", "cfg": '{"ab": 7}'}}
    document = secret(meta)
    assert select(document, fetch()) == b'{"annotations":{"cfg":"{\\"ab\\": 7}","team":"blue"},"labels":null}'
    assert select(document, fetch("annotations.team")) == b"blue"
    assert select(document, fetch("annotations.cfg.a.b")) == b"7"
    assert select(document, fetch("labels")) == b"{}"
    assert select_map(document, fetch()) == {
        "annotations": b'{"cfg":"{\\"ab\\": 7}","team":"blue"}',
        "labels": b"null",
    }
    assert select_map(document, fetch("annotations")) == {"cfg": b'"{\\"ab\\": 7}"', "team": b'"blue"'}
    assert select_map(document, fetch("labels")) == {}
    with pytest.raises(InvalidData, match=r"^property owner does not exist in key s$"):
        select_map(document, fetch("owner"))
    for prop in ("annotations.nobody", "annotations.team.x", "owner"):
        with pytest.raises(InvalidData, match=f'^property {prop} does not exist in metadata of secret "s"$'):
            select(document, fetch(prop))


def test_a_missing_secret_is_no_secret() -> None:
    """B126: deletionPolicy acts on it, for one value as for a map."""
    gone = Document("s", None)
    for ref in (RemoteRef("s"), RemoteRef("s", "x"), fetch("labels")):
        with pytest.raises(NoSecret, match='^secrets "s" not found$'):
            select(gone, ref)
    with pytest.raises(NoSecret):
        select_map(gone, RemoteRef("s"))


def test_an_extract_with_a_property_gives_the_members_of_a_json_value_as_json() -> None:
    """Texts keep their quotes, and only objects have members."""
    document = secret(cfg__json=b'{"a": "<x&>", "n": 1.50, "o": {"k": [1]}}', text=b"plain", none=b"null")
    assert select_map(document, RemoteRef("s", "cfg.json")) == {"a": b'"<x&>"', "n": b"1.5", "o": b'{"k":[1]}'}
    assert select_map(document, RemoteRef("s", "none")) == {}
    with pytest.raises(InvalidData, match=r"^failed to unmarshal secret: invalid JSON format$"):
        select_map(document, RemoteRef("s", "text"))
    with pytest.raises(InvalidData, match=r"^property absent does not exist in key s$"):
        select_map(document, RemoteRef("s", "absent"))


def test_no_value_shows_in_the_repr_of_a_document() -> None:
    """It is in log lines of libraries before one thinks of it."""
    assert "cGw0" not in repr(secret(a=b"pl4nted"))
    assert data_text({"a": b"1"}) == b'{"a":"1"}'
