"""Lists, dicts, defaults, types and encodings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controllers.templating.budget import Budget, metered
from controllers.templating.functions import defaults, dicts, encoding, lists, reflection
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.errors import LimitExceeded
from controllers.templating.gotemplate.values import (
    Int64,
    IntList,
    ListList,
    NilDict,
    NilList,
    NilStrList,
    StrList,
    StrMap,
    Uint8,
)
from controllers.templating.gotemplate.versions import VersionValue

NAN = float("nan")
POINTER = "runtime error: invalid memory address or nil pointer dereference"


@pytest.mark.parametrize(
    ("call", "args", "expected"),
    [
        (lists.first, [[]], None),
        (lists.first, [StrList([b"a"])], b"a"),
        (lists.last, [IntList([1, 2])], 2),
        (lists.rest, [[]], NilList()),
        (lists.rest, [[1]], []),
        (lists.rest, [IntList([0, 1])], [1]),
        (lists.initial, [NilStrList()], NilList()),
        (lists.initial, [StrList([b"a", b"b"])], [b"a"]),
        (lists.append, [NilList(), 1], [1]),
        (lists.append, [StrList([b"a"]), None], [b"a", None]),
        (lists.prepend, [[1], [0]], [[0], 1]),
        (lists.concat, [], NilList()),
        (lists.concat, [[]], NilList()),
        (lists.concat, [[1], StrList([b"a"])], [1, b"a"]),
        (lists.reverse, [StrList([b"a", b"b"])], [b"b", b"a"]),
        (lists.uniq, [[1, 1, 1.0, b"a", b"a", None, None, [1], [1], True, Int64(1)]], [1, 1.0, b"a", None, [1], True, Int64(1)]),
        (lists.without, [[1, 2, 1, [3]], 1, [3]], [2]),
        (lists.compact, [[0, 1, b"", None, False, b"a", [], {}]], [1, b"a"]),
        (lists.has, [1, None], False),
        (lists.has, [1, [1.0]], False),
        (lists.has, [[], [[]]], True),
        (lists.slice_of, [[], 5, 9], None),
        (lists.slice_of, [StrList([b"a", b"b"]), b"1"], StrList([b"b"])),
        (lists.slice_of, [[1, 2, 3], 1, 2, 9], [2]),
        (lists.chunk, [2, [1, 2, 3]], ListList([[1, 2], [3]])),
        (lists.chunk, [2, []], ListList()),
        (lists.chunk, [-2, [1]], ListList([[1]])),
        (lists.chunk, [-2, [1, 2]], ListList()),
        (dicts.make_dict, [b"a"], {b"a": b""}),
        (dicts.make_dict, [1, 2, None, 3], {b"1": 2, b"<nil>": 3}),
        (dicts.get, [{b"a": None}, b"a"], None),
        (dicts.get, [NilDict(), b"a"], b""),
        (dicts.unset, [{b"a": 1}, b"b"], {b"a": 1}),
        (dicts.keys, [{b"b": 1, b"a": 2}, NilDict(), {b"c": 1}], StrList([b"a", b"b", b"c"])),
        (dicts.values, [{b"b": 1, b"a": 2}], [2, 1]),
        (dicts.pluck, [b"a", {b"a": 1}, {}, {b"a": None}], [1, None]),
        (dicts.pick, [{b"a": 1, b"b": 2}, b"a", b"x"], {b"a": 1}),
        (dicts.omit, [{b"a": 1, b"b": 2}, b"a", b"x"], {b"b": 2}),
        (dicts.dig, [b"a", b"b", 1, {}], 1),
        (dicts.dig, [b"a", b"b", 1, {b"a": {b"b": None}}], None),
        (dicts.merge, [{b"a": b"", b"l": [], b"d": {b"x": 0}}, {b"a": 5, b"l": [1], b"d": {b"x": 1, b"n": None}}], {b"a": 5, b"l": [1], b"d": {b"x": 1}}),
        (dicts.merge, [{b"a": 1}, {b"a": {b"x": 1}}], {b"a": 1}),
        (dicts.merge, [NilDict(), NilDict()], NilDict()),
        (dicts.merge, [NilDict(), {b"a": 1}], {b"a": 1}),
        (dicts.merge_overwrite, [{b"a": 1, b"d": {b"x": 1}}, {b"a": b"", b"d": {b"y": None}}], {b"a": b"", b"d": {b"x": 1, b"y": None}}),
        (dicts.merge_overwrite, [{b"a": [1]}, {b"a": []}, {b"a": [2, 3]}], {b"a": [2, 3]}),
        (defaults.default, [5], 5),
        (defaults.default, [5, 0.0], 5),
        (defaults.default, [5, 1, 0], 1),
        (defaults.coalesce, [None, 0, b""], None),
        (defaults.every, [], True),
        (defaults.some, [], False),
        (defaults.empty, [NAN], False),
        (defaults.empty, [0j], True),
        (defaults.ternary, [None, 1, True], None),
        (reflection.type_of, [NilStrList()], b"[]string"),
        (reflection.type_of, [StrMap()], b"map[string]string"),
        (reflection.kind, [None], b"invalid"),
        (reflection.kind, [Uint8(1)], b"uint8"),
        (reflection.kind_is, [b"slice", NilList()], True),
        (reflection.type_is_like, [b"string", b"x"], True),
        (encoding.sha1sum, [b"a"], b"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        (encoding.adler32sum, [b""], b"1"),
    ],
)  # fmt: skip
def test_collections_become_what_go_makes_of_them(call: Callable[..., Any], args: list[Any], expected: Any) -> None:
    """Values and types, nil lists and maps among them."""
    result = call(*args)
    assert reflection.deep_equal(result, expected)


@pytest.mark.parametrize(
    ("call", "args", "message"),
    [
        (lists.first, [b"abc"], "Cannot find first on type string"),
        (lists.first, [None], POINTER),
        (lists.first, [{}], "Cannot find first on type map"),
        (lists.append, [1, 1], "Cannot push on type int"),
        (lists.prepend, [True, 1], "Cannot prepend on type bool"),
        (lists.compact, [1.5], "Cannot compact on type float64"),
        (lists.has, [1, b"a"], "Cannot find has on type string"),
        (lists.concat, [[1], b"a"], "Cannot concat type string as list"),
        (lists.slice_of, [b"a"], "list should be type of slice or array but string"),
        (lists.slice_of, [[1, 2], 1, 0], "reflect.Value.Slice: slice index out of bounds"),
        (lists.chunk, [0, []], "runtime error: makeslice: len out of range"),
        (lists.chunk, [-1, [1]], "runtime error: makeslice: len out of range"),
        (lists.chunk, [1, b"a"], "Cannot chunk type string"),
        (dicts.set_entry, [NilDict(), b"a", 1], "assignment to entry in nil map"),
        (dicts.dig, [b"a", b"b"], "dig needs at least three arguments"),
        (dicts.dig, [b"a", b"b", 1, {b"a": 3}], "interface conversion: interface {} is int, not map[string]interface {}"),
        (dicts.dig, [b"a", b"b", 1, {b"a": None}], "interface conversion: interface {} is nil, not map[string]interface {}"),
        (dicts.dig, [1, b"b", {}], "interface conversion: interface {} is int, not string"),
        (dicts.dig, [b"a", 1, StrMap()], "interface conversion: interface {} is map[string]string, not map[string]interface {}"),
        (dicts.deep_copy, [None], "reflect: call of reflect.Value.Type on zero Value"),
        (dicts.merge, [{b"k": StrMap()}, {b"k": {b"x": 1}}],
         "reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string"),
        (defaults.fail, [b"boom"], "boom"),
    ],
)  # fmt: skip
def test_what_go_refuses_fails_with_the_same_words(call: Callable[..., Any], args: list[Any], message: str) -> None:
    """Wrong kinds, nil, and bounds."""
    with pytest.raises(FunctionError) as caught:
        call(*args)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, False),
        (1, Int64(1), False),
        (True, 1, False),
        (StrList([b"a"]), [b"a"], False),
        (NilList(), [], False),
        (None, None, True),
        (None, 0, False),
        (NAN, NAN, False),
        ({b"a": [1]}, {b"a": [1]}, True),
        ({b"a": 1}, {b"b": 1}, False),
        ([1, [2]], [1, [3]], False),
    ],
)
def test_deep_equality_minds_types(left: Any, right: Any, same: bool) -> None:
    """As in Go, a list is the same as itself even if it holds what is no number."""
    assert reflection.deep_equal(left, right) is same
    inner = [NAN]
    assert reflection.deep_equal([inner], [inner])


def test_merges_share_the_dicts_that_they_take_over() -> None:
    """A later change of the source shows in the result, and nested dicts of the target are changed in place."""
    inner: dict[bytes, Any] = {b"x": 1}
    target: dict[bytes, Any] = {}
    assert dicts.merge(target, {b"k": inner}, {b"k": {b"z": 3}}) is target
    assert inner == {b"x": 1, b"z": 3}
    nested: dict[bytes, Any] = {b"q": 1}
    dicts.merge_overwrite({b"k": nested}, {b"k": {b"x": 1}})
    assert nested == {b"q": 1, b"x": 1}


def test_a_deep_copy_shares_nothing() -> None:
    """Types are kept, versions lose what they hold, and a dict within itself ends by the budget."""
    source = {b"a": {b"b": [1]}, b"s": StrList([b"x"])}
    copy = dicts.deep_copy(source)
    copy[b"a"][b"b"].append(2)
    assert source == {b"a": {b"b": [1]}, b"s": [b"x"]}
    assert type(copy[b"s"]) is StrList
    version = VersionValue((1, 2, 3), "a", "", "1.2.3-a")
    assert dicts.deep_copy([version])[0].text() == b"0.0.0"
    endless: dict[bytes, Any] = {}
    endless[b"k"] = endless
    with metered(Budget(steps=5000)), pytest.raises(LimitExceeded):
        dicts.deep_copy(endless)


def test_dicts_that_hold_each_other_can_be_compared_and_merged() -> None:
    """Neither hangs."""
    one: dict[bytes, Any] = {}
    other: dict[bytes, Any] = {}
    one[b"k"], other[b"k"] = other, one
    assert reflection.deep_equal(one, other)
    assert dicts.merge(one, other) is one


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"YQ==", b"a"), (b"Y\nQ=\r\n=\n", b"a"), (b"YR==", b"a"), (b"", b""), (b"YQ", b"illegal base64 data at input byte 0"),
        (b"YWJjYQ", b"illegal base64 data at input byte 4"), (b"YQ=", b"illegal base64 data at input byte 3"),
        (b"YQ==a", b"illegal base64 data at input byte 4"), (b"YW-j", b"illegal base64 data at input byte 2"),
        (b"YQ=a", b"illegal base64 data at input byte 2"), (b"Y===", b"illegal base64 data at input byte 1"),
        (b"YWI==", b"illegal base64 data at input byte 4"), (b"/B11====", b"illegal base64 data at input byte 4"),
    ],
)  # fmt: skip
def test_base64_is_read_or_its_fault_is_the_result(value: bytes, expected: bytes) -> None:
    """Line ends are skipped and count for positions."""
    assert encoding.b64dec(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"ME======", b"a"), (b"MF======", b"a"), (b"MFRGG===", b"abc"), (b"MF\nRGGZDF\n", b"abcde"), (b"ME=======", b"a"),
        (b"ME", b"illegal base32 data at input byte 0"), (b"me======", b"illegal base32 data at input byte 0"),
        (b"ME=====", b"illegal base32 data at input byte 7"), (b"MFR=GGZD", b"illegal base32 data at input byte 3"),
        (b"MFRGGZDFM", b"illegal base32 data at input byte 8"), (b"MFR=====", b"illegal base32 data at input byte 3"),
    ],
)  # fmt: skip
def test_base32_is_read_or_its_fault_is_the_result(value: bytes, expected: bytes) -> None:
    """Line ends do not count for positions."""
    assert encoding.b32dec(value) == expected


def test_hex_is_read_or_its_fault_is_the_result() -> None:
    """The first bad byte comes before an odd length."""
    assert encoding.hexdec(b"AbCd") == b"\xab\xcd"
    assert encoding.hexdec(b"616") == b"encoding/hex: odd length hex string"
    assert encoding.hexdec(b"6g6") == b"encoding/hex: invalid byte: U+0067 'g'"
    assert encoding.hexdec(b"6\n") == b"encoding/hex: invalid byte: U+000A"
