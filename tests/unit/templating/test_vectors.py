"""Templates that Go has rendered give the same bytes here, or fail in the same class with the same words."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.templating import ExecError, ParseError, render
from controllers.templating.gotemplate.yamldoc import YamlError, document, text_map

PLACE = Path(__file__).parent / "vectors" / "template-vectors.yaml"
FILE = yaml.load(PLACE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
GROUPS: dict[str, list[dict[str, Any]]] = {}
for entry in FILE["vectors"]:
    GROUPS.setdefault(entry["group"], []).append(entry)

CALLING = re.compile(r"error calling \w+: (.*)", re.DOTALL)
# What Go's runtime says about itself is not part of the language.
RUNTIME = ("runtime error: ", "reflect: ", "interface conversion: ")


def text_of(vector: dict[str, Any]) -> str:
    if "template" in vector:
        return str(vector["template"])
    return "".join(part * count for part, count in vector["template_parts"])


def data_of(vector: dict[str, Any]) -> dict[str, bytes]:
    data = {key: value.encode() for key, value in vector.get("data", {}).items()}
    data.update((key, base64.b64decode(value)) for key, value in vector.get("data_b64", {}).items())
    for key, names in vector.get("fixtures", {}).items():
        data[key] = "".join(FILE["fixtures"][name] for name in names.split("+")).encode()
    return data


def outcome(vector: dict[str, Any]) -> tuple[str, Any]:
    """What the vector's template does here: the field that tells it, and its value."""
    try:
        output = render(
            text_of(vector), data_of(vector), left=vector.get("left", "{{"), right=vector.get("right", "}}")
        )
    except ParseError as error:
        return "parse", str(error)
    except ExecError as error:
        return "exec", str(error)
    try:
        if vector.get("yaml") == "map":
            return "expect_map", {key.decode(): value.decode() for key, value in text_map(output).items()}
        if vector.get("yaml") == "any":
            return "expect_json", document(output)
    except YamlError as error:
        return "yaml", str(error)
    if "expect_b64" in vector:
        return "expect_b64", base64.b64encode(output).decode()
    return "expect", output.decode()


def difference(vector: dict[str, Any]) -> str | None:
    """What is wrong with the outcome; None if nothing is."""
    kind, found = outcome(vector)
    if "error" not in vector:
        wanted = vector.get(kind)
        return None if kind in vector and wanted == found else f"{vector['id']}: {kind} {found!r}, not {wanted!r}"
    if kind != vector["error"]:
        return f"{vector['id']}: {kind} {found!r}, not {vector['error']}: {vector['message']}"
    if kind == "yaml" or found == vector["message"]:
        return None
    words = CALLING.search(vector["message"])
    if words is not None and words[1].startswith(RUNTIME):
        return None
    return f"{vector['id']}: {found!r}, not {vector['message']!r}"


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_templates_do_what_they_do_in_go(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All vectors of one group; those that differ are listed, and how many pass is printed."""
    different = [text for text in map(difference, GROUPS[group]) if text is not None]
    with capsys.disabled():
        print(f"\n{group}: {len(GROUPS[group]) - len(different)}/{len(GROUPS[group])}", end="")
    assert different == []


def test_all_vectors_are_there() -> None:
    """The head of the file says how many."""
    assert sum(map(len, GROUPS.values())) == FILE["engine"]["count"] == 803


def test_vectors_take_less_than_twenty_seconds() -> None:
    """Rendering everything again, with all templates compiled, stays far below what a test run may take."""
    started = time.process_time()
    for vectors in GROUPS.values():
        for vector in vectors:
            outcome(vector)
    assert time.process_time() - started < 20
