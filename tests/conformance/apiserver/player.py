"""Plays a scenario against a server and records what it answered."""

from __future__ import annotations

import asyncio
import base64
import copy
import io
import json
import os
import random
import re
import shlex
import signal
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from tests.conformance.apiserver.lookup import ABSENT, drop, lookup, parse
from tests.conformance.apiserver.scrub import Scrubber, sort_causes

JsonObject = dict[str, Any]

MACROS = {
    "N": "/api/v1/namespaces/$NS",
    "T": "/apis/test.example.io/v1/namespaces/$NS",
    "W": "/apis/test.example.io/v1/namespaces/$NS/widgets",
    "G": "/apis/$ID.test.example.io/v1/namespaces/$NS",
    "E": "/apis/external-secrets.io/v1/namespaces/$NS",
    "CRD": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "RBAC": "/apis/rbac.authorization.k8s.io/v1",
}
TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "merge": "application/merge-patch+json",
    "jsonpatch": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_HEADERS = ("content-type", "warning", "retry-after")
_SAFE = "/?&=%:,'()!*;@$+~[]|^`{}"


class Player:
    """One scenario on one server. ``config`` is what is in the file ``kubeconfig``; ``folder`` is empty and writable."""

    def __init__(
        self, scenario: JsonObject, text: str, config: JsonObject, kubeconfig: Path, folder: Path, kubectl: str
    ) -> None:
        cluster = config["clusters"][0]["cluster"]
        self._scenario = scenario
        self._server = server = cluster["server"]
        self._token = config["users"][0]["user"]["token"]
        self._tls = None
        if server.startswith("https"):
            pem = base64.b64decode(cluster["certificate-authority-data"]).decode()
            self._tls = ssl.create_default_context(cadata=pem)
        self._kubeconfig = kubeconfig
        self._folder = folder
        self._kubectl = kubectl
        self._id = "".join(random.choices("bcdfghjklmnpqrstvwxz", k=8))
        slug = re.sub(r"[^a-z0-9-]", "-", scenario["name"].lower())[:40].strip("-")
        self._namespace = f"{slug}-{self._id}"
        self._captured: dict[str, str] = {}
        self._scrub = Scrubber(server, str(kubeconfig), self._id, text)
        self._watches: dict[str, _Watch] = {}
        self._commands: dict[str, tuple[asyncio.subprocess.Process, asyncio.Task[tuple[bytes, bytes]], JsonObject]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def play(self) -> list[JsonObject]:
        """All steps, in order; ``sleep`` and ``file`` steps leave no record."""
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(ssl=self._tls) if self._tls else aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            self._session = session
            try:
                await self._prepare()
                return [record async for record in self._steps()]
            finally:
                await self._clean_up()

    async def _steps(self) -> Any:
        kinds = ("req", "watch", "events", "kubectl", "finish", "crd")
        for raw in self._scenario["steps"]:
            step = self._substitute(raw)
            if "sleep" in step:
                await asyncio.sleep(step["sleep"])
            elif "file" in step:
                (self._folder / step["file"]).write_text(_documents(step["content"]))
            else:
                kind = next(key for key in kinds if key in step)
                yield await getattr(self, f"_step_{kind}")(step)

    async def _prepare(self) -> None:
        if self._scenario.get("namespace") is False:
            return
        meta = {"name": self._namespace, "labels": {"apitest": "yes"}}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        answer = await self._send("POST", "/api/v1/namespaces", TYPES["json"], json.dumps(body).encode())
        assert answer.status == 201
        self._scrub.learn(answer.body)

    async def _clean_up(self) -> None:
        for watch in self._watches.values():
            await watch.close()
        for process, task, _ in self._commands.values():
            if process.returncode is None:
                process.kill()
            await asyncio.wait([task])

    # -- substitution

    def _substitute(self, node: Any) -> Any:
        if isinstance(node, str):
            for _ in range(2):
                node = re.sub(r"\$(NS|ID|SERVER|DIR|" + "|".join(MACROS) + r")\b", self._macro, node)
            return re.sub(r"\$\{([\w-]+)\}", lambda match: self._captured[match[1]], node)
        if isinstance(node, list):
            return [self._substitute(item) for item in node]
        if isinstance(node, dict):
            return {self._substitute(key): self._substitute(value) for key, value in node.items()}
        return node

    def _macro(self, match: re.Match[str]) -> str:
        known = {"NS": self._namespace, "ID": self._id, "SERVER": self._server, "DIR": str(self._folder)}
        return (known | MACROS)[match[1]]

    # -- requests

    def _request_parts(self, step: JsonObject) -> tuple[bytes | None, dict[str, str]]:
        body, headers, content = step.get("body"), {}, None
        if "fill" in step:
            body = copy.deepcopy(body)
            *parents, last = parse(step["fill"]["path"])
            value = step["fill"].get("char", "a") * step["fill"]["count"]
            if step["fill"].get("base64"):
                value = base64.b64encode(value.encode()).decode()
            lookup(body, parents)[last] = value
        if body is not None:
            content, headers["Content-Type"] = json.dumps(body).encode(), TYPES["json"]
        elif "raw" in step:
            content, headers["Content-Type"] = step["raw"].encode(), TYPES["json"]
        if step.get("type"):
            headers["Content-Type"] = TYPES.get(step["type"], step["type"])
        return content, {**headers, **(step.get("headers") or {})}

    def _headers(self, user: str | None, headers: dict[str, str]) -> dict[str, str]:
        token = self._token if user is None else "" if user == "anonymous" else user
        base = {"Accept": "application/json", "User-Agent": "apitest/1.0 (test)"}
        if token:
            base["Authorization"] = f"Bearer {token}"
        return base | headers

    def _url(self, path: str) -> URL:
        return URL(self._server + quote(path, safe=_SAFE), encoded=True)

    async def _send(
        self,
        method: str,
        path: str,
        content_type: str = "",
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        user: str | None = None,
    ) -> _Answer:
        assert self._session is not None
        sent = self._headers(user, ({"Content-Type": content_type} if content_type else {}) | (headers or {}))
        skip = () if "Content-Type" in sent else ("Content-Type",)
        async with self._session.request(
            method,
            self._url(path),
            headers=sent,
            data=io.BytesIO(content) if content else content,
            skip_auto_headers=(*skip, "Accept-Encoding"),
        ) as response:
            return _Answer(response.status, response.headers, await response.text())

    async def _perform(self, step: JsonObject) -> _Answer:
        method, path = step["req"].split(" ", 1)
        content, headers = self._request_parts(step)
        return await self._send(method, path, "", content, headers, step.get("as"))

    async def _step_req(self, step: JsonObject) -> JsonObject:
        deadline = time.monotonic() + step.get("limit", 15)
        while True:
            answer = await self._perform(step)
            if "until" not in step or self._reached(step["until"], answer) or time.monotonic() > deadline:
                return self._response(step, answer)
            await asyncio.sleep(0.02)

    @staticmethod
    def _reached(until: JsonObject, answer: _Answer) -> bool:
        for path, wanted in until.items():
            got = answer.status if path == "status_code" else lookup(answer.body, path)
            if wanted == "<any>":
                if got is ABSENT:
                    return False
            elif got != wanted and not (wanted is None and got is ABSENT):
                return False
        return True

    def _response(self, step: JsonObject, answer: _Answer) -> JsonObject:
        for name, path in (step.get("capture") or {}).items():
            value = lookup(answer.body, path)
            if value is not ABSENT:
                self._captured[name] = value if isinstance(value, str) else json.dumps(value)
        record: JsonObject = {"status": answer.status}
        if step.get("quiet"):
            self._scrub.body(answer.body)
            return record
        headers: JsonObject = {}
        for name in (*_HEADERS, *(step.get("also_headers") or ())):
            values = [self._scrub.text(value) for value in answer.headers.getall(name, [])]
            if values:
                headers[name] = values[0] if len(values) == 1 else values
        if headers:
            record["headers"] = headers
        if step.get("jwt"):
            record["jwt"] = self._jwt(lookup(answer.body, step["jwt"]))
        record["body"] = self._shown(step, answer.body)
        return record

    def _shown(self, step: JsonObject, body: Any) -> Any:
        self._scrub.managed = step.get("managed", self._scenario.get("managed", False))
        self._scrub.descriptions = step.get("descriptions", False)
        body = self._scrub.body(body)
        if step.get("unordered"):
            sort_causes(body)
        if step.get("fields"):
            found = {path: lookup(body, path) for path in step["fields"]}
            body = {path: "<absent>" if value is ABSENT else value for path, value in found.items()}
        for path in step.get("ignore") or ():
            if isinstance(body, dict | list):
                drop(body, parse(path))
        for pattern, replacement in step.get("scrub", ()) if "req" in step else ():
            body = json.loads(re.sub(pattern, replacement, json.dumps(body)))
        return body

    def _jwt(self, token: str) -> Any:
        head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
        head.pop("kid", None)
        claims["exp"] = f"<iat + {claims['exp'] - claims['iat']}>"
        for key in ("iat", "nbf"):
            claims[key] = "<now>" if abs(claims[key] - time.time()) < 60 else claims[key]
        return self._scrub.body({"header": head, "claims": claims})

    # -- watches

    async def _step_watch(self, step: JsonObject) -> JsonObject:
        assert self._session is not None
        _, headers = self._request_parts(step)
        response = await self._session.get(
            self._url(step["watch"]),
            headers=self._headers(step.get("as"), headers),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        if response.status != 200:
            answer = _Answer(response.status, response.headers, await response.text())
            return self._response({**step, "req": f"GET {step['watch']}"}, answer)
        self._watches[step["name"]] = _Watch(response, step)
        return {"status": 200, "headers": {"content-type": response.headers["content-type"]}}

    async def _step_events(self, step: JsonObject) -> JsonObject:
        watch = self._watches[step["events"]]
        await watch.collect(step.get("count"), step.get("limit", 5))
        if step.get("then_quiet"):
            await asyncio.sleep(step["then_quiet"])
        events = [{"type": event["type"], "object": event["object"]} for event in watch.take()]
        if step.get("sort"):
            count = len(events) if step["sort"] is True else step["sort"]
            events[:count] = sorted(events[:count], key=_event_name)
        record: JsonObject = {"events": []}
        view = {key: value for key, value in {**watch.step, **step}.items() if key not in ("fields", "ignore")}
        for event in events:
            shown = self._shown(view, event)
            if step.get("fields"):
                found = {path: lookup(shown, f"object.{path}") for path in step["fields"]}
                shown = {
                    "type": shown["type"],
                    "object": {path: value for path, value in found.items() if value is not ABSENT},
                }
            for path in step.get("ignore", ()):
                drop(shown, parse(f"object.{path}"))
            if not (step.get("collapse") and record["events"] and record["events"][-1] == shown):
                record["events"].append(shown)
        if "closed" in step:
            record["closed by the server"] = watch.ended
        if not step.get("keep"):
            await watch.close()
        return record

    # -- definitions

    async def _step_crd(self, step: JsonObject) -> JsonObject:
        wanted = step["crd"]
        kind = wanted["kind"]
        plural = wanted.get("plural", f"{kind.lower()}s")
        schema = wanted.get("schema") or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        if "properties" not in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
            schema = {"type": "object", "properties": schema}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        version |= wanted.get("version", {})
        if wanted.get("status"):
            version["subresources"] = {"status": {}}
        group = f"{self._id}.test.example.io"
        names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
        spec = {
            "group": group,
            "scope": wanted.get("scope", "Namespaced"),
            "names": names | wanted.get("names", {}),
            "versions": wanted.get("versions") or [version],
        }
        body = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": spec,
        }
        answer = await self._send("POST", MACROS["CRD"], TYPES["json"], json.dumps(body).encode())
        assert answer.status == 201, answer.body
        served = next(item["name"] for item in spec["versions"] if item["served"])
        deadline = time.monotonic() + 15
        while (await self._send("GET", f"/apis/{group}/{served}/{plural}")).status != 200:
            assert time.monotonic() < deadline, "not served in time"
            await asyncio.sleep(0.01)
        return {"crd": "served"}

    # -- commands

    async def _step_kubectl(self, step: JsonObject) -> JsonObject:
        namespace = [] if step.get("no_namespace") else ["-n", self._namespace]
        cache = str(self._folder / "cache")
        arguments = ["--kubeconfig", str(self._kubeconfig), "--cache-dir", cache, *namespace]
        process = await asyncio.create_subprocess_exec(
            self._kubectl,
            *arguments,
            *shlex.split(step["kubectl"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "LC_ALL": "C",
                "TZ": "UTC",
                **step.get("env", {}),
            },
            cwd=self._folder,
        )
        task = asyncio.ensure_future(process.communicate(_documents(step.get("stdin", "")).encode()))
        if step.get("name"):
            self._commands[step["name"]] = (process, task, step)
            await asyncio.sleep(step.get("settle", 1.5))
            return {}
        return await self._outcome(process, task, step)

    async def _step_finish(self, step: JsonObject) -> JsonObject:
        process, task, started = self._commands[step["finish"]]
        return await self._outcome(process, task, {**started, **step})

    async def _outcome(
        self, process: asyncio.subprocess.Process, task: asyncio.Task[tuple[bytes, bytes]], step: JsonObject
    ) -> JsonObject:
        done, _ = await asyncio.wait([task], timeout=step.get("seconds", 40))
        if not done:
            process.send_signal(signal.SIGINT)
            if not (await asyncio.wait([task], timeout=5))[0]:
                process.kill()
        exact = re.search(r"-o[ =]?(yaml|json|jsonpath|go-template)\b", step["kubectl"]) is not None
        texts = []
        for index, data in enumerate(await task):
            text = "\n".join(self._scrub.terminal(data.decode("utf-8", "replace"), table=not exact))
            if step.get("sort_lines"):
                text = "\n".join(sorted(text.splitlines()))
            if step.get("grep") and index == 0:
                text = "\n".join(line for line in text.splitlines() if re.search(step["grep"], line))
            for pattern, replacement in step.get("scrub", ()):
                text = re.sub(pattern, replacement, text)
            texts.append(text.splitlines())
        record = {
            "exit": process.returncode if done else "stopped by the runner",
            "stdout": texts[0],
            "stderr": texts[1],
        }
        return {key: value for key, value in record.items() if key not in step.get("drop", ())}


class _Answer:
    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status = status
        self.headers = headers
        self.body: Any = text
        if "json" in headers.get("content-type", "") or text.startswith('{"'):
            try:
                self.body = json.loads(text)
            except ValueError:
                self.body = text


class _Watch:
    """Collects the lines of an open watch."""

    def __init__(self, response: aiohttp.ClientResponse, step: JsonObject) -> None:
        self.step = step
        self.ended = False
        self._response = response
        self._events: list[JsonObject] = []
        self._bell = asyncio.Event()
        self._task = asyncio.ensure_future(self._pump())

    async def _pump(self) -> None:
        try:
            async for line in self._response.content:
                event = json.loads(line)
                plain = event["type"] == "BOOKMARK" and b"initial-events-end" not in line
                if not plain or self.step.get("bookmarks"):
                    self._events.append(event)
                    self._bell.set()
        finally:
            self.ended = True
            self._bell.set()

    async def collect(self, count: int | None, limit: float) -> None:
        """Wait for so many events, the end, or so many seconds."""
        deadline = time.monotonic() + limit
        while not self.ended and (count is None or len(self._events) < count):
            self._bell.clear()
            try:
                await asyncio.wait_for(self._bell.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                return

    def take(self) -> list[JsonObject]:
        events, self._events = self._events, []
        return events

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._response.close()


def _event_name(event: JsonObject) -> tuple[str, str]:
    return str(lookup(event, "object.metadata.name")), str(lookup(event, "object.rows[0].cells[0]"))


def _documents(docs: Any) -> str:
    if isinstance(docs, str):
        return docs
    docs = docs if isinstance(docs, list) else [docs]
    return "".join("---\n" * (len(docs) > 1) + json.dumps(doc, indent=1) + "\n" for doc in docs)
