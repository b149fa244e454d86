"""The guide to models says what is so."""

from __future__ import annotations

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eso_core.meta.errors import DecodeError
from eso_core.testing.apiserver import schema as server_schema

PAGE = Path(__file__).parents[3] / "docs" / "library" / "models.md"


@cache
def guide() -> dict[str, Any]:
    """The names that the code of the page defines."""
    names: dict[str, Any] = {"__name__": "guide"}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(code, str(PAGE), "exec", dont_inherit=True), names)
    return names


def test_the_class_of_the_guide_makes_a_definition_that_the_server_takes() -> None:
    """With all that its annotations say."""
    crd = copy.deepcopy(guide()["definition"])
    server_schema.default_crd(crd)
    crd["status"] = {"storedVersions": server_schema.stored_versions(crd["spec"], [])}
    assert server_schema.validate_crd(crd) == []
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema["description"] == "A website and its copies."
    assert schema["x-kubernetes-validations"] == [
        {"rule": "!has(self.status) || has(self.spec)", "message": "a status needs a spec"}
    ]
    assert schema["properties"]["spec"] == {
        "type": "object",
        "description": "What is served.",
        "required": ["host"],
        "properties": {
            "host": {"type": "string", "maxLength": 253, "description": "Name under which it is found."},
            "replicas": {"type": "integer", "default": 1, "minimum": 1, "description": "Copies that run."},
            "mode": {"type": "string", "enum": ["static", "dynamic"], "default": "static"},
            "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
            "pages": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["path"],
                "items": {
                    "type": "object",
                    "required": ["path"],
                    "properties": {"path": {"type": "string"}, "title": {"type": "string"}},
                },
            },
        },
    }


def test_the_object_of_the_guide_is_written_as_it_says() -> None:
    """Unknown fields stay, defaults that nobody set are not written."""
    site = guide()["site"]
    assert str(site.key) == "n/a"
    assert site.encode() == {
        "apiVersion": "example.io/v1",
        "kind": "Website",
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {"host": "a.example", "fromTheFuture": 1, "replicas": 3},
    }


def test_the_error_of_the_guide_is_worded_as_it_says() -> None:
    """The sentence on the page is the sentence that users see."""
    with pytest.raises(DecodeError) as error:
        guide()["Website"].decode(
            {"metadata": {"name": "a", "namespace": "n"}, "spec": {"host": "h", "replicas": "many"}}
        )
    assert f"*{error.value}*" in PAGE.read_text()
