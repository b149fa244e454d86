"""Values print in the forms of Go's fmt, mistakes in a format included."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.templating.budget import Budget, metered
from controllers.templating.gotemplate.errors import LimitExceeded
from controllers.templating.gotemplate.fmt import print_values, println_values, sprintf, to_text
from controllers.templating.gotemplate.values import (
    Duration,
    Int64,
    IntList,
    ListList,
    Month,
    NilDict,
    NilList,
    NilStrList,
    StrList,
    StrMap,
    Uint8,
    Weekday,
)

INF = float("inf")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a\xff", b"a\xff"),
        (-5, b"-5"),
        (True, b"true"),
        (None, b"<nil>"),
        (100000.0, b"100000"),
        (999999.5, b"999999.5"),
        (1e6, b"1e+06"),
        (1234567.0, b"1.234567e+06"),
        (0.0001, b"0.0001"),
        (0.00001, b"1e-05"),
        (-0.0, b"-0"),
        (INF, b"+Inf"),
        (-INF, b"-Inf"),
        (float("nan"), b"NaN"),
        (5e-324, b"5e-324"),
        (complex(1.5, -2), b"(1.5-2i)"),
        (Uint8(97), b"97"),
        ([1, b"x", None, [2.5], {b"k": None}], b"[1 x <nil> [2.5] map[k:<nil>]]"),
        ({b"b": 2, b"a": [1]}, b"map[a:[1] b:2]"),
        (NilList(), b"[]"),
        (NilDict(), b"map[]"),
        (StrMap({b"_0": b"v"}), b"map[_0:v]"),
        (ListList([[1], [2]]), b"[[1] [2]]"),
        (Duration(3_601_000_000_000), b"1h0m1s"),
        ([Month(2), Weekday(0)], b"[February Sunday]"),
    ],
)
def test_values_print_as_the_v_verb_does(value: Any, expected: bytes) -> None:
    """Numbers in their shortest form, lists and maps in brackets, keys in order."""
    assert to_text(value) == expected
    assert sprintf(b"%v", [value]) == expected


@pytest.mark.parametrize(
    ("form", "args", "expected"),
    [
        (b"%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%#o|%O|%b|%c|%q|%U|%#U", [42, 42, 42, 42, 42, 255, 255, 255, 8, 8, 8, 5, 65, 65, 8364, 8364],
         "   42|42   |00042|+42| 42|ff|FF|0xff|10|010|0o10|101|A|'A'|U+20AC|U+20AC '€'".encode()),
        (b"%.3d|%8.3d|%.0d|", [7, 7, 0], b"007|     007||"),
        (b"%e|%E|%f|%.1f|%g|%G|%8.3f|%-8.2f|%+.1f|%08.3f|%x", [1234.5678, 1234.5678, 1.5, 2.25, 1e21, 1e-7, 3.14159, 2.5, 1.0, -3.14159, 1.0],
         b"1.234568e+03|1.234568E+03|1.500000|2.2|1e+21|1E-07|   3.142|2.50    |+1.0|-003.142|0x1p+00"),
        (b"%#g|%#.3x|%b|%6.2f%%", [1.0, 1.5, 1.0, 99.5], b"1.00000|0x1.800p+00|4503599627370496p-52| 99.50%"),
        (b"%s|%8s|%-8s|%.2s|%q|%+q|%#q|%x|% x|%#x|%X", [b"a", b"a", b"a", "éab".encode(), b'"\n\xff', "é".encode(), b"a`b", b"hi", b"hi", b"hi", b"hi"],
         'a|       a|a       |éa|"\\"\\n\\xff"|"\\u00e9"|"a`b"|6869|68 69|0x6869|6869'.encode()),
        (b"%t|%v|%5t|%T|%T|%T|%T", [True, False, True, 1, [b"a"], None, Int64(1)], b"true|false| true|int|[]interface {}|<nil>|int64"),
        (b"%s|%q|%d|%x", [[b"a", b"b"], StrList([b"a"]), IntList([1, 2]), [b"hi", 255]], b'[a b]|["a"]|[1 2]|[6869 ff]'),
        (b"%#v|%#v|%#v|%#v|%#v|%#v", [b"a", [1, b"x", None], {b"k": 1.0}, StrList(), NilStrList(), Uint8(97)],
         b'"a"|[]interface {}{1, "x", interface {}(nil)}|map[string]interface {}{"k":1}|[]string{}|[]string(nil)|0x61'),
        (b"%[2]s %[1]s|%[1]*[2]s|", [5, b"x"], b"x %!s(int=5)|    x|"),
    ],
)  # fmt: skip
def test_verbs_with_flags_widths_and_precisions(form: bytes, args: list[Any], expected: bytes) -> None:
    """What Go prints for the same format and arguments."""
    assert sprintf(form, args) == expected


@pytest.mark.parametrize(
    ("form", "args", "expected"),
    [
        (b"%d", [b"a"], b"%!d(string=a)"),
        (b"%s %s", [5], b"%!s(int=5) %!s(MISSING)"),
        (b"%s", [None], b"%!s(<nil>)"),
        (b"x", [b"b", 3], b"x%!(EXTRA string=b, int=3)"),
        (b"x", [None], b"x%!(EXTRA <nil>)"),
        (b"100%", [], b"100%!(NOVERB)"),
        (b"%z", [1], b"%!z(int=1)"),
        (b"%[3]d", [1], b"%!d(BADINDEX)"),
        (b"%[x]d", [1], b"%!d(BADINDEX)"),
        (b"%*d", [b"w", 5], b"%!(BADWIDTH)5"),
        (b"%.*d", [-1, 42], b"%!(BADPREC)42"),
        (b"%d", [[b"a", 1, None]], b"[%!d(string=a) 1 <nil>]"),
        (b"%5d", [b"a"], b"%!d(string=    a)"),
        (b"%t", [Duration(5)], b"%!t(time.Duration=5)"),
        (b"%10000010d", [1], b"%!(NOVERB)%!(EXTRA int=1)"),
        (b"%w", [[1]], b"%!w([]interface {}=[1])"),
    ],
)
def test_mistakes_are_printed(form: bytes, args: list[Any], expected: bytes) -> None:
    """Wrong types, missing and superfluous arguments, bad widths and indexes."""
    assert sprintf(form, args) == expected


def test_print_puts_spaces_only_between_values_that_are_no_text() -> None:
    """`println` always does, and ends the line."""
    assert print_values([1, 2, b"a", b"b", 3, None, True]) == b"1 2ab3 <nil> true"
    assert println_values([1, b"a", b"b"]) == b"1 a b\n"
    assert print_values([]) == b""
    assert println_values([]) == b"\n"


def test_a_width_asks_the_budget_and_a_map_within_itself_ends() -> None:
    """Neither fills the memory."""
    inner: dict[bytes, Any] = {}
    inner[b"k"] = inner
    with metered(Budget(output_bytes=1000)):
        with pytest.raises(LimitExceeded):
            sprintf(b"%100000d", [1])
        with pytest.raises(LimitExceeded):
            to_text(inner)
