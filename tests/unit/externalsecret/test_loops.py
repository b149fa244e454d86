"""ExternalSecrets that find their own output."""

from __future__ import annotations

from controllers.externalsecret.loops import Echo, find_echo
from providers.gojson import encode


def text(data: dict[str, bytes]) -> bytes:
    """A whole Secret as a find gives it."""
    return encode({key: value.decode() for key, value in data.items()}, html=False).encode()


def test_the_target_itself_and_copies_of_it_are_recognised() -> None:
    """Directly, through Secrets in between, and in an earlier state."""
    target = {"a": b'quo"ted', "b": b"<2>"}
    once = text({"t": text({"a": b"earlier", "b": b""}), "x": b"1"})
    values = {
        "own": text(target),
        "once": once,
        "twice": text({"u": once}),
        "other": b'{"a":"x","b":"y"}',
        "namesake": text({"t": b'{"host":"h"}'}),
        "plain": b"t",
        "broken": b'{"t": "{',
    }
    assert find_echo(values, target, "t") == Echo(("own",), ("once", "twice"))


def test_nothing_echoes_an_empty_target() -> None:
    """A Secret without data is in every Secret, so to say."""
    assert find_echo({"a": b"{}", "b": b'{"t":"{}"}'}, {}, "t") == Echo()
