"""Makes the answers of two runs comparable: what changes from run to run gets a name that does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_UID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+")
_AGE = re.compile(r"(?<![^\s])(?:\d+d)?(?:\d+h)?(?:\d+m)?\d+s(?=\s|$)")
_HEADER = re.compile(r"[A-Z][A-Z0-9 ()/_-]*")
_SAFE_LETTERS = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]*")
_TEXTS = [
    (re.compile(r"(Too large resource version: \d+, current: )\d+"), r"\1<rv>"),
    (re.compile(r"(too old resource version: \d+ \()\d+"), r"\1<rv>"),
    (re.compile(r'(resourceVersion: )"?\d+"?'), r"\1<rv>"),
    (re.compile(r"(Resource Version: +)\d+"), r"\1<rv>"),
    (re.compile(r'(resourceVersion\\*": ?\\*")\d+'), r"\1<rv>"),
    (re.compile(r"(\?hash=)[0-9A-Fa-f]+"), r"\1<hash>"),
    (re.compile(r"selfType\d+"), "selfType<n>"),
    (re.compile(r'(Invalid value: )"\{\\"apiVersion\\":.*\}": ', re.S), r'\1"<object>": '),
]
# When its own deadline ends kubectl's wait, two of its goroutines race: the reflector may see the end of its watch
# before it is told to stop, and then logs it. On a busy machine it often does.
_LATE_REFLECTOR = re.compile(r"[EW]\d{4} .* reflector\.go:\d+\] .*(?:context deadline exceeded|very short watch)")
_LONG = 3000


class Scrubber:
    """Remembers the uids, versions and generated names of one scenario.

    ``fixed`` is the scenario's own text: uids that it spells out are kept.
    """

    def __init__(self, server: str, kubeconfig: str, scenario_id: str, fixed: str) -> None:
        self._server = server
        self._kubeconfig = kubeconfig
        self._id = scenario_id
        self._fixed = fixed
        self._uids: dict[str, str] = {}
        self._versions: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        self._now = datetime.now(UTC)
        self.managed = False
        self.descriptions = False

    def body(self, node: Any) -> Any:
        """A decoded body, made comparable."""
        self.learn(node)
        return self._clean(node)

    def learn(self, node: Any) -> None:
        """Note the uids and generated names in a body."""
        if isinstance(node, list):
            for item in node:
                self.learn(item)
        elif isinstance(node, dict):
            meta = node.get("metadata")
            if isinstance(meta, dict) and isinstance(meta.get("name"), str):
                self._learn_name(meta)
                if isinstance(meta.get("uid"), str):
                    self._uid(meta["uid"], self._names.get(meta["name"], meta["name"]).replace(self._id, "$ID"))
            for value in node.values():
                self.learn(value)

    def _learn_name(self, meta: dict[str, Any]) -> None:
        prefix, name = meta.get("generateName"), meta["name"]
        if not isinstance(prefix, str) or not prefix or not name.startswith(prefix) or name in self._names:
            return
        tail = name[len(prefix) :]
        label = f"{prefix}<{len(tail)} random>" + ("" if _SAFE_LETTERS.fullmatch(tail) else "(other alphabet)")
        earlier = sum(known.split("#")[0] == label for known in self._names.values())
        self._names[name] = f"{label}#{earlier + 1}" if earlier else label

    def _uid(self, uid: str, name: str = "") -> str:
        if uid in self._fixed:
            return uid
        if uid not in self._uids:
            if not name:
                return "<uid>"
            label, number = f"<uid:{name}>", 2
            while label in self._uids.values():
                label, number = f"<uid:{name}#{number}>", number + 1
            self._uids[uid] = label
        return self._uids[uid]

    def _time(self, match: re.Match[str]) -> str:
        try:
            moment = datetime.fromisoformat(match[0].replace("Z", "+00:00"))
        except ValueError:
            return match[0]
        if abs(moment - self._now) > timedelta(days=2):
            return match[0]
        if not match[1]:
            return "<time>"
        return "<microtime>" if len(match[1]) == 7 else "<nanotime>"

    def text(self, text: str) -> str:
        """One string, made comparable."""
        if len(text) > _LONG and not text.startswith("eyJ"):
            text = f"<{len(text)} characters: {text[:80]}...{text[-200:]}>"
        for name, label in self._names.items():
            text = text.replace(name, label)
        text = text.replace(self._id, "$ID").replace(self._server, "$SERVER")
        text = text.replace(self._server.split("://")[1], "$HOST")
        text = _TIME.sub(self._time, _JWT.sub("<jwt>", text))
        text = _UID.sub(lambda match: self._uid(match[0]), text)
        for pattern, replacement in _TEXTS:
            text = pattern.sub(replacement, text)
        return text

    def _clean(self, node: Any) -> Any:
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, list):
            return [self._clean(item) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("metadata"), dict):
            node = {**node, "metadata": self._metadata(node["metadata"])}
        if isinstance(node.get("columnDefinitions"), list) and not self.descriptions:
            columns = [
                {key: column[key] for key in column if key != "description"} for column in node["columnDefinitions"]
            ]
            node = {**node, "columnDefinitions": columns}
        return {self.text(key): self._clean(value) for key, value in node.items()}

    def _metadata(self, meta: dict[str, Any]) -> dict[str, Any]:
        meta = dict(meta)
        version = meta.get("resourceVersion")
        if isinstance(version, str) and version:
            meta["resourceVersion"] = self._version(meta, version)
        if meta.get("continue"):
            meta["continue"] = "<continue>"
        if "managedFields" in meta:
            if self.managed and isinstance(meta["managedFields"], list):
                keys = ("operation", "manager", "apiVersion", "subresource")
                meta["managedFields"] = sorted(
                    meta["managedFields"], key=lambda entry: [entry.get(key, "") for key in keys]
                )
            else:
                del meta["managedFields"]
        return meta

    def _version(self, meta: dict[str, Any], version: str) -> str:
        if "uid" not in meta:
            return "<rv>" if version.isdigit() else f"<odd rv {version}>"
        seen = self._versions.setdefault(meta["uid"], [])
        if version not in seen:
            seen.append(version)
        return f"<rv {seen.index(version) + 1}>"

    def terminal(self, text: str, *, table: bool) -> list[str]:
        """What a command printed; cells of tables are divided by bars, ages are masked."""
        lines: list[str] = []
        columns: list[int] = []
        for line in text.replace(self._kubeconfig, "$KUBECONFIG").split("\n"):
            cells = [line]
            if table:
                if _HEADER.fullmatch(line) and not line.startswith("GROUP:"):
                    columns = [match.start() for match in re.finditer(r"(?:(?<=   )|^)\S", line)]
                elif not line.strip():
                    columns = []
                cells = _cells(line, columns)
            joined = " | ".join(self.text(cell) for cell in cells)
            if _LATE_REFLECTOR.match(joined):
                continue
            lines.append(re.sub(r"^([EWI])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", r"\1<klog> ", joined))
        return lines


def _cells(line: str, columns: list[int]) -> list[str]:
    if len(columns) > 1 and all(start >= len(line) or line[start - 1] == " " for start in columns[1:]):
        cells = [line[start:end].strip() for start, end in zip(columns, [*columns[1:], len(line)], strict=True)]
    else:
        cells = [_AGE.sub("<age>", re.sub(r"(?<=\S) {2,}", "  ", line).rstrip())]
    return ["<age>" if _AGE.fullmatch(cell) else cell for cell in cells] if len(cells) > 1 else cells


def sort_causes(body: Any) -> None:
    """Bring the causes of a Status, and the errors in its message, into a fixed order."""
    causes = (
        body.get("details", {}).get("causes")
        if isinstance(body, dict) and isinstance(body.get("details"), dict)
        else None
    )
    if not causes:
        return
    causes.sort(key=lambda cause: (cause.get("field", ""), cause.get("message", ""), cause.get("reason", "")))
    head, mark, tail = body["message"].partition(": [")
    parts = [f"{cause['field']}: {cause['message']}" if cause.get("field") else cause["message"] for cause in causes]
    if mark and len(tail) - 1 == len(", ".join(parts)):
        body["message"] = f"{head}{mark}{', '.join(parts)}]"


Clean = Callable[[Any], Any]
