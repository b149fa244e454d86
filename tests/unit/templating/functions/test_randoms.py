"""Random text has the promised length and alphabet."""

from __future__ import annotations

import re
from typing import Any

import pytest

from controllers.templating.functions import randoms as r
from controllers.templating.functions.registry import FunctionError


@pytest.mark.parametrize(
    ("draw", "alphabet"),
    [
        (r.rand_alpha, b"[A-Za-z]{40}"),
        (r.rand_alnum, b"[A-Za-z0-9]{40}"),
        (r.rand_numeric, b"[0-9]{40}"),
        (r.rand_ascii, b"[ -~]{40}"),
    ],
)
def test_text_is_of_its_alphabet_and_length(draw: Any, alphabet: bytes) -> None:
    """As many characters as asked for, none for a count below one."""
    assert re.fullmatch(alphabet, draw(40))
    assert draw(0) == b""
    assert draw(-1) == b""


def test_integers_stay_within_their_bounds() -> None:
    """The upper bound is excluded; an empty span is refused."""
    assert {r.rand_int(3, 5) for _ in range(60)} <= {3, 4}
    with pytest.raises(FunctionError):
        r.rand_int(3, 3)
    assert sorted(r.shuffle(b"cab")) == sorted(b"abc")
