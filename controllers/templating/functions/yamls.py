"""YAML as the original reads and writes it."""

from __future__ import annotations

from typing import Any

from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.jsonencode import JsonEncodeError, encode_json
from controllers.templating.gotemplate.yamldoc import mapping
from controllers.templating.gotemplate.yamlemit import emit_yaml
from controllers.templating.gotemplate.yamlload import YamlError, load_yaml

__all__: list[str] = []

GROUP = "JSON and YAML"


@function("toYaml", "any", "A value as YAML in block style without a newline at the end; empty text if it has no such form.",
          group=GROUP, example='{{ toYaml (dict "b" (list 1 "x: y") "a" nil) }}', result="a: null\nb:\n- 1\n- 'x: y'")  # fmt: skip
def to_yaml(value: Any) -> bytes:
    try:
        # By way of JSON, so that whole floats become integers and everything has JSON's types.
        return emit_yaml(load_yaml(encode_json(value))).removesuffix(b"\n")
    except (JsonEncodeError, YamlError):
        return b""


@function("fromYaml", "string", "A YAML mapping as a dict; what is wrong with it is under the key Error.", group=GROUP,
          example='{{ (fromYaml .doc).ports | first }}', result="80", data={"doc": "ports: [80, 443]\n"})  # fmt: skip
def from_yaml(text: bytes) -> dict[bytes, Any]:
    try:
        return mapping(text)
    except YamlError as error:
        return {b"Error": str(error).encode("utf-8", "replace")}
