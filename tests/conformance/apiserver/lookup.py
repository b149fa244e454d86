"""Paths into JSON values: ``a.b[0]['x.y'].c[*].d[k=v]`` and ``[k~regex]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absent(Enum):
    """Stands for a value that is not there."""

    VALUE = "<absent>"


ABSENT = Absent.VALUE


@dataclass(frozen=True)
class Pick:
    """Elements of a list: all of them, those whose ``key`` equals ``value``, or matches it as a pattern."""

    key: str = ""
    value: str = ""
    pattern: bool = False

    @property
    def single(self) -> bool:
        return bool(self.key) and not self.pattern

    def chooses(self, item: Any) -> bool:
        if not self.key:
            return True
        found = lookup(item, self.key)
        text = "" if found is ABSENT else str(found)
        return re.search(self.value, text) is not None if self.pattern else text == self.value


Step = str | int | Pick
_STEP = re.compile(r"""\.?(?:(?P<name>[^.\[]+)|\[(?:(?P<quote>['"])(?P<quoted>.*?)(?P=quote)|(?P<inner>[^\]]*))\])""")


def parse(path: str) -> list[Step]:
    """The steps of a path."""
    steps: list[Step] = []
    for match in _STEP.finditer(path):
        if match["name"] is not None:
            steps.append(match["name"])
        elif match["quote"]:
            steps.append(match["quoted"])
        elif match["inner"] == "*":
            steps.append(Pick())
        elif re.fullmatch(r"-?\d+", match["inner"]):
            steps.append(int(match["inner"]))
        elif "~" in match["inner"]:
            key, value = match["inner"].split("~", 1)
            steps.append(Pick(key, value, pattern=True))
        else:
            key, value = match["inner"].split("=", 1)
            steps.append(Pick(key, value))
    return steps


def lookup(node: Any, path: str | list[Step]) -> Any:
    """The value at a path; ABSENT if there is none; a list where the path picks several elements."""
    steps = parse(path) if isinstance(path, str) else path
    for index, step in enumerate(steps):
        if isinstance(step, str):
            if not isinstance(node, dict) or step not in node:
                return ABSENT
            node = node[step]
        elif not isinstance(node, list):
            return ABSENT
        elif isinstance(step, int):
            if not -len(node) <= step < len(node):
                return ABSENT
            node = node[step]
        elif step.single:
            chosen = [item for item in node if step.chooses(item)]
            if not chosen:
                return ABSENT
            node = chosen[0]
        else:
            found = [lookup(item, steps[index + 1 :]) for item in node if step.chooses(item)]
            return [None if item is ABSENT else item for item in found]
    return node


def drop(node: Any, steps: list[Step]) -> None:
    """Remove what is at a path, in place."""
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if isinstance(node, dict) and step in node:
            if rest:
                drop(node[step], rest)
            else:
                del node[step]
        return
    if not isinstance(node, list):
        return
    if isinstance(step, int):
        chosen = [node[step]] if -len(node) <= step < len(node) else []
    else:
        chosen = [item for item in node if step.chooses(item)]
    for item in chosen:
        if rest:
            drop(item, rest)
        else:
            node[:] = [other for other in node if other is not item]
