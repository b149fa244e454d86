"""Defaults, choices, and stopping: what counts as empty is false, zero, empty text, lists and maps, and nil."""

from __future__ import annotations

from typing import NoReturn

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.quoting import text
from controllers.templating.gotemplate.values import Value, truth

__all__: list[str] = []

GROUP = "Defaults and flow"


@function("default", "any, ...any", "The second value, or the first if the second is empty or absent.", group=GROUP,
          example='{{ "" | default "none" }}', result="none")  # fmt: skip
def default(fallback: Value, *given: Value) -> Value:
    return given[0] if given and truth(given[0]) else fallback


@function(
    "empty",
    "any",
    "Whether the value is empty.",
    group=GROUP,
    example='{{ empty "" }} {{ empty "0" }}',
    result="true false",
)
def empty(value: Value) -> bool:
    return not truth(value)


@function("coalesce", "...any", "The first value that is not empty.", group=GROUP,
          example='{{ coalesce "" 0 "x" }}', result="x")  # fmt: skip
def coalesce(*values: Value) -> Value:
    return next((value for value in values if truth(value)), None)


@function("all", "...any", "Whether no value is empty.", group=GROUP, example='{{ all 1 "a" }}', result="true")
def every(*values: Value) -> bool:
    return all(map(truth, values))


@function("any", "...any", "Whether one value is not empty.", group=GROUP, example='{{ any 0 "a" }}', result="true")
def some(*values: Value) -> bool:
    return any(map(truth, values))


@function("ternary", "any, any, bool", "The first value if the third is true, else the second.", group=GROUP,
          example='{{ true | ternary "yes" "no" }}', result="yes")  # fmt: skip
def ternary(yes: Value, no: Value, condition: bool) -> Value:
    return yes if condition else no


@function("fail", "string", "Stops the render with the text as its error.", group=GROUP,
          example='{{ if empty .host }}{{ fail "host is missing" }}{{ end }}{{ .host }}', data={"host": "db"}, result="db")  # fmt: skip
def fail(message: bytes) -> NoReturn:
    raise FunctionError(text(message))
