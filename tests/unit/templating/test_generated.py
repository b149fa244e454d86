"""Generated templates over the whole grammar and all functions give what Go gives: the same bytes, or the same error."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from controllers.templating import ExecError, ParseError, render

PLACE = Path(__file__).parent / "vectors" / "templates.jsonl"


def decoded(value: Any) -> bytes:
    """Text, or bytes in base64."""
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else str(value).encode()


def outcome(vector: dict[str, Any]) -> tuple[str, bytes]:
    try:
        return "ok", render(vector["template"], {key: decoded(value) for key, value in vector["data"].items()})
    except ParseError as error:
        return "parse", str(error).encode()
    except ExecError as error:
        return "exec", str(error).encode()


def test_generated_templates_give_what_go_gives() -> None:
    """600 of them, half of which fail; what differs is listed."""
    different = []
    vectors = [json.loads(line) for line in PLACE.read_text(encoding="utf-8").split("\n") if line]
    assert len(vectors) == 600
    for vector in vectors:
        kind, found = outcome(vector)
        expected = decoded(vector["result"])
        if vector["kind"] != "ok":
            expected = expected.decode("utf-8", "replace").encode()
        if (kind, found) != (vector["kind"], expected):
            different.append((vector, kind, found))
    assert different == []
