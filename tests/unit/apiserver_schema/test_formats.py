"""String formats accept what the server accepts."""

import pytest

from eso_core.testing.apiserver.schema.formats import FORMATS, number_in_range


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", ["2024-01-01T00:00:00Z", "2024-01-01t00:00:00.5+02:00"], ["yesterday", "2024-02-30T00:00:00Z"]),
        ("date", ["2024-02-29"], ["2024-13-01", "2023-02-29", "24-01-01"]),
        ("duration", ["1h", "1h30m", "-1.5h", "3 days", "2 Hours", "0"], ["1x", "", "1", "1 fortnight"]),
        ("uuid", ["11111111-1111-4111-8111-111111111111", "A" * 32], ["nope", "1" * 31]),
        ("uuid4", ["11111111-1111-4111-8111-111111111111"], ["11111111-1111-3111-8111-111111111111"]),
        ("byte", ["YQ==", "YWJj"], ["", "%%", "YQ=", "YW\nJj"]),
        ("email", ["a@b.c", "a@b", "Jo <a@b.c>"], ["nope", "a@", "@b", "a@b.c, d@e.f"]),
        ("hostname", ["a", "a.bc", "host.example.com", "ä.de"], ["", "a.b", "-x_", "exa_mple.com", "1.2.3.4"]),
        ("ipv4", ["1.2.3.4"], ["1.2.3", "01.2.3.4", "::1"]),
        ("ipv6", ["::1", "fe80::1"], ["1.2.3.4", "fe80::1%eth0"]),
        ("cidr", ["10.0.0.0/8", "::/0"], ["10.0.0.0", "10.0.0.1/33", "10.0.0.0/08"]),
        ("mac", ["01:02:03:04:05:06", "0102.0304.0506"], ["01:02:03:04:05", "xx"]),
        (
            "uri",
            ["http://a", "/x", "mailto:x", "http://[::1]:80/"],
            ["no uri", "", "http://a b", "a/b", "http://a:port"],
        ),
        ("isbn", ["0-306-40615-2", "9780306406157"], ["0-306-40615-3"]),
        ("creditcard", ["4111111111111111"], ["4111111111111112"]),
        ("ssn", ["111-11-1111"], ["111-1111"]),
        ("hexcolor", ["#fff", "a0b1c2"], ["#ff"]),
        ("rgbcolor", ["rgb(0, 10,255)"], ["rgb(0,0,256)"]),
        ("bsonobjectid", ["0" * 24], ["0" * 23]),
        ("password", ["", "anything"], []),
        ("k8s-short-name", ["a-b"], ["A", "a.b", "x" * 64]),
        ("k8s-long-name", ["a-b.c"], ["a..b"]),
    ],
)
def test_a_format_takes_good_values_and_refuses_bad_ones(name: str, good: list[str], bad: list[str]) -> None:
    """Each format is held against examples of both kinds."""
    check = FORMATS[name]
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []


def test_integers_have_the_width_of_their_format() -> None:
    """Without a format an integer has 64 bits; plain numbers have no limit."""
    assert number_in_range(2**31 - 1, ("integer",), "int32")
    assert not number_in_range(2**31, ("integer",), "int32")
    assert not number_in_range(2**63, ("integer",), "")
    assert number_in_range(1e300, ("number",), "")
    assert not number_in_range(1e300, ("number",), "float")
