"""Calls of functions, printf and regular expressions give what Go gives: output, or the words after `error calling NAME: `."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from controllers.templating import render
from controllers.templating.gotemplate.errors import ExecError

PLACE = Path(__file__).parents[1] / "vectors" / "functions.jsonl"
GROUPS: dict[str, list[dict[str, Any]]] = {}
for line in PLACE.read_text(encoding="utf-8").split("\n"):
    if line:
        vector = json.loads(line)
        GROUPS.setdefault(vector["group"], []).append(vector)


def outcome(vector: dict[str, Any]) -> tuple[str, str]:
    data = {key: value.encode() for key, value in vector.get("data", {}).items()}
    try:
        result = render(vector["template"], data)
    except ExecError as error:
        return "error", str(error).split("error calling ", 1)[-1].split(": ", 1)[-1]
    if "expect_b64" in vector:
        return "expect_b64", base64.b64encode(result).decode()
    return "expect", result.decode()


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_calls_give_what_go_gives(group: str) -> None:
    """All vectors of one group; what differs is listed."""
    different = []
    for vector in GROUPS[group]:
        kind, found = outcome(vector)
        if vector.get(kind) != found:
            different.append((vector, kind, found))
    assert different == []
