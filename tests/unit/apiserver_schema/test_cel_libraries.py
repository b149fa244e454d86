"""The function libraries that rules can use."""

from typing import Any

import pytest

from eso_core.testing.apiserver.schema.cel.backend import BACKEND
from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.types import DYN


def evaluate(source: str) -> Any:
    """The value of an expression that needs no object."""
    return BACKEND.compile(source, DYN).evaluate(None)[0]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'hello'.charAt(1) + 'hello'.charAt(5)", "e"),
        ("'hello'.indexOf('l') * 100 + 'hello'.lastIndexOf('l') * 10 + 'hello'.indexOf('l', 3)", 233),
        ("'AbC'.lowerAscii() + 'aéc'.upperAscii()", "abcAéC"),
        ("'aaa'.replace('a', 'b') + 'aaa'.replace('a', 'b', 1)", "bbbbaa"),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'hello'.substring(3) + 'hello'.substring(0, 2)", "lohe"),
        ("'  x '.trim() + 'ab'.reverse()", "xba"),
        ("['a', 'b'].join() + ['a', 'b'].join('-')", "aba-b"),
        ("strings.quote('a\"b')", '"a\\"b"'),
        (
            "'%s|%d|%.2f|%x|%X|%b|%o|%e|%%'.format(['s', 5, 2.5, 255, 'hi', 5, 8, 1234.5])",
            "s|5|2.50|ff|6869|101|10|1.234500e+03|%",
        ),
        ("'%s %s %s'.format([[1, 2], {'a': true}, duration('90s')])", '[1, 2] {"a":true} 90s'),
        ("'ab12'.find('[0-9]+') + 'x'.find('y')", "12"),
        ("'a1b2'.findAll('[0-9]') + 'a1b2'.findAll('[0-9]', 1)", ["1", "2", "1"]),
        ("'foobar'.matches('^fo+') && matches('x', 'x|y') && !'x'.matches('^y')", True),
        ("'x'.contains('') && 'abc'.contains('bc') && 'abc'.startsWith('ab') && 'abc'.endsWith('c')", True),
        ("base64.encode(b'hi') + string(base64.decode('aGk'))", "aGk=hi"),
    ],
)
def test_strings(source: str, value: Any) -> None:
    """Searching, cutting, formatting."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("[1, 2, 2].isSorted() && ![2, 1].isSorted() && ['a', 'b'].isSorted()", True),
        ("[1, 2, 3].sum() + [1, 3, 2].max() + [3, 1].min()", 10),
        ("[1.5, 2.0].sum()", 3.5),
        ("[duration('1m'), duration('1s')].sum() == duration('61s')", True),
        ("[1, 2, 1].indexOf(1) * 10 + [1, 2, 1].lastIndexOf(1)", 2),
        ("[3, 1, 2].sort() + [1, 2].reverse() + [1, 1, 2].distinct()", [1, 2, 3, 2, 1, 1, 2]),
        ("[1, 2, 3, 4].slice(1, 3) + lists.range(2) + [[1], [2]].flatten()", [2, 3, 0, 1, 1, 2]),
        ("[1, 2].first().value() + [1, 2].last().value()", 3),
        (
            "sets.contains([1, 2, 3], [1, 2]) && sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2])",
            True,
        ),
        ("math.greatest(1, 3, 2) + math.least(1, 3, 2)", 4),
    ],
)
def test_lists_and_sets(source: str, value: Any) -> None:
    """Order, sums, positions, parts."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("url('https://user@example.com:80/a%20b?k=v&k=w&z=').getScheme()", "https"),
        ("url('https://user@example.com:80/').getHost()", "example.com:80"),
        ("url('https://[::1]:80/').getHostname() + url('https://[::1]:80/').getPort()", "::180"),
        ("url('https://x/a b').getEscapedPath()", "/a%20b"),
        ("url('https://x/?k=v&k=w&z=').getQuery()", {"k": ["v", "w"], "z": [""]}),
        ("isURL('https://x') && isURL('/x') && !isURL('x')", True),
        ("ip('10.0.0.1').family() * 10 + ip('::1').family()", 46),
        ("isIP('1.2.3.4') && !isIP('1.2.3') && !isIP('fe80::1%eth0') && !isIP('::ffff:1.2.3.4')", True),
        ("ip.isCanonical('::1') && !ip.isCanonical('0:0::1')", True),
        ("ip('127.0.0.1').isLoopback() && ip('0.0.0.0').isUnspecified() && ip('8.8.8.8').isGlobalUnicast()", True),
        (
            "ip('224.0.0.1').isLinkLocalMulticast() && ip('169.254.1.1').isLinkLocalUnicast() && ip('ff02::1').isLinkLocalMulticast()",
            True,
        ),
        ("cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))", True),
        (
            "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
            True,
        ),
        ("string(cidr('10.1.2.3/8').masked()) + string(cidr('10.1.2.3/8').ip())", "10.0.0.0/810.1.2.3"),
        ("cidr('10.0.0.0/8').prefixLength()", 8),
        ("isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0') && !isCIDR('10.0.0.0/08')", True),
    ],
)
def test_networks_and_urls(source: str, value: Any) -> None:
    """Parts of URLs, families and ranges of addresses."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("quantity('1Gi').isGreaterThan(quantity('500Mi')) && quantity('1k').compareTo(quantity('1000')) == 0", True),
        ("quantity('50k').add(quantity('1')).sub(2).asInteger()", 49999),
        ("quantity('1.5').isInteger() || !quantity('1k').isInteger()", False),
        ("quantity('1500m').asApproximateFloat() + double(quantity('-1').sign())", 0.5),
        ("isQuantity('1.3Gi') && !isQuantity('1x')", True),
        ("semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-alpha').isLessThan(semver('1.0.0'))", True),
        ("semver('1.0.0-alpha.2').compareTo(semver('1.0.0-alpha.10'))", -1),
        ("semver('1.2.3+b').major() * 100 + semver('1.2.3').minor() * 10 + semver('1.2.3').patch()", 123),
        ("isSemver('v1.0', true) && !isSemver('v1.0') && !isSemver('01.0.0')", True),
        ("format.dns1123Label().validate('good').hasValue()", False),
        ("format.dns1123Label().validate('a.b').value()", ["must not contain dots"]),
        ("format.named('labelValue').value().validate('-').hasValue() && !format.named('nope').hasValue()", True),
        ("format.uuid().validate('x').value()", ["does not match the UUID format"]),
    ],
)
def test_kubernetes_types(source: str, value: Any) -> None:
    """Quantities, versions, named formats."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("int(2.9) + int('-5') + int(3u)", 0),
        ("uint('7') == 7u && uint(7.9) == 7u", True),
        ("double('1.5') + double(2)", 3.5),
        ("string(1.0) + string(-2) + string(true) + string(b'x') + string(3u)", "1-2truex3"),
        ("bool('true') && !bool('F')", True),
        ("bytes('é').size()", 2),
        ("int(timestamp('1970-01-01T00:01:00Z')) + int(duration('1ns'))", 61),
        ("timestamp(0) == timestamp('1970-01-01T00:00:00Z')", True),
        ("timestamp('2024-03-01T00:00:00Z').getDayOfYear() + timestamp('2024-03-03T00:00:00Z').getDayOfWeek()", 60),
        ("timestamp('2024-05-01T10:20:30.400Z').getMilliseconds()", 400),
        ("timestamp('2024-05-01T10:00:00Z').getHours('America/New_York')", 6),
        ("duration('1h30m1.5s').getSeconds() + duration('-90m').getHours()", 5400),
    ],
)
def test_conversions_and_times(source: str, value: Any) -> None:
    """From text and back, and the parts of instants and spans."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    "source",
    [
        "'abc'.substring(5)",
        "'abc'.charAt(9)",
        "'%d'.format(['x'])",
        "'%d %d'.format([1])",
        "[1][3]",
        "[].min()",
        "url('nope').getHost()",
        "ip('nope').family()",
        "cidr('10.0.0.0/33').prefixLength()",
        "quantity('nope').sign()",
        "quantity('1.5').asInteger()",
        "semver('1.2').major()",
        "base64.decode('%')",
        "duration('1x')",
        "timestamp('2024-13-01T00:00:00Z')",
        "timestamp('0000-01-01T00:00:00Z')",
        "string(b'\\xff')",
        "timestamp('2024-01-01T00:00:00Z').getHours('Nowhere/Land')",
    ],
)
def test_bad_arguments_fail_when_the_expression_runs(source: str) -> None:
    """None of these has a value; none of them breaks anything else."""
    with pytest.raises(EvaluationError):
        evaluate(source)
