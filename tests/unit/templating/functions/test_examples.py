"""The examples of the reference are true."""

from __future__ import annotations

import re

import pytest

from controllers.templating import render
from controllers.templating.functions.loading import load

FUNCTIONS = load()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_an_example_renders_to_what_it_says(name: str) -> None:
    """Each function has one; random results are judged by their form."""
    entry = FUNCTIONS[name]
    result = render(entry.example, {key: value.encode() for key, value in entry.example_data.items()}).decode()
    if entry.result is not None:
        assert result == entry.result
    else:
        assert re.fullmatch(entry.check or "", result, re.DOTALL)


def test_a_pure_function_gives_the_same_twice() -> None:
    """Those that are declared pure."""
    for entry in FUNCTIONS.values():
        if entry.pure and entry.result is not None:
            data = {key: value.encode() for key, value in entry.example_data.items()}
            assert render(entry.example, data) == render(entry.example, data), entry.name
