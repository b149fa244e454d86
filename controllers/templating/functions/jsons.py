"""JSON in Go's dialect."""

from __future__ import annotations

from typing import Any

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.jsondecode import JsonError, decode_json
from controllers.templating.gotemplate.jsonencode import JsonEncodeError, encode_json
from controllers.templating.gotemplate.values import Value

__all__: list[str] = []

GROUP = "JSON and YAML"


def _strict(value: Any, *, html: bool = True, pretty: bool = False) -> bytes:
    try:
        return encode_json(value, html=html, pretty=pretty)
    except JsonEncodeError as error:
        raise FunctionError(str(error)) from None


@function("mustToJson", "any", "A value as compact JSON with sorted keys.", group=GROUP,
          example='{{ mustToJson (dict "b" 1 "a" (list true nil)) }}', result='{"a":[true,null],"b":1}')  # fmt: skip
def must_to_json(value: Any) -> bytes:
    return _strict(value)


@function("toJson", "any", "A value as compact JSON with sorted keys; empty text if it has no JSON form.", group=GROUP,
          example='{{ dict "b" 1 "a" "<" | toJson }}', result='{"a":"\\u003c","b":1}')  # fmt: skip
def to_json(value: Any) -> bytes:
    try:
        return encode_json(value)
    except JsonEncodeError:
        return b""


@function("mustToPrettyJson", "any", "A value as JSON with an indentation of two spaces.", group=GROUP,
          example='{{ mustToPrettyJson (list 1) }}', result="[\n  1\n]")  # fmt: skip
def must_to_pretty_json(value: Any) -> bytes:
    return _strict(value, pretty=True)


@function("toPrettyJson", "any", "A value as indented JSON; empty text if it has no JSON form.", group=GROUP,
          example='{{ dict "a" 1 | toPrettyJson }}', result='{\n  "a": 1\n}')  # fmt: skip
def to_pretty_json(value: Any) -> bytes:
    try:
        return encode_json(value, pretty=True)
    except JsonEncodeError:
        return b""


@function(["toRawJson", "mustToRawJson"], "any", "A value as compact JSON in which <, > and & stay as they are.",
          group=GROUP, example='{{ toRawJson (dict "c" "<&>") }}', result='{"c":"<&>"}')  # fmt: skip
def to_raw_json(value: Any) -> bytes:
    return _strict(value, html=False)


@function("mustFromJson", "string", "A JSON document as a value; all numbers are float64.", group=GROUP,
          example='{{ (mustFromJson .doc).a }}', result="1", data={"doc": '{"a": 1}'})  # fmt: skip
def must_from_json(text: bytes) -> Value:
    try:
        return decode_json(text)
    except JsonError as error:
        raise FunctionError(str(error)) from None


@function("fromJson", "string", "A JSON document as a value; nil if it is none.", group=GROUP,
          example='{{ (fromJson .doc).a }}', result="1", data={"doc": '{"a": 1}'})  # fmt: skip
def from_json(text: bytes) -> Value:
    try:
        return decode_json(text)
    except JsonError as error:
        return error.partial
