"""What the in-process API server costs under load: writes, reads, watches, memory, start.

Run as a script: `python tests/benchmarks/apiserver_load.py [name ...]`; it prints one line per figure with its budget. The
server runs in a process of its own, without TLS, and its CPU time is what counts: 2,000 writes per second by one process are
500 µs of CPU per write. Requests per second are printed beside it; they depend on what else the machine does.
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import yaml

ROOT = Path(__file__).parents[2]
GROUP = "/apis/external-secrets.io/v1"
CONNECTIONS = 8


def external_secret(name: str, namespace: str = "default", interval: str = "1h", version: str = "") -> bytes:
    """An ExternalSecret as people write them, 1 KiB as JSON."""
    refs = [
        {"secretKey": key, "remoteRef": {"key": f"team/app/{name}", "property": key}}
        for key in ("username", "password", "host", "port")
    ]
    return orjson.dumps(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                **({"resourceVersion": version} if version else {}),
                "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "argocd", "team": "blue"},
                "annotations": {"example.io/owner": "team-blue"},
            },
            "spec": {
                "refreshInterval": interval,
                "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
                "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
                "data": refs,
                "dataFrom": [{"extract": {"key": f"team/app/{name}/extra"}}],
            },
        }
    )


class Server:
    """The server process, and what it used."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str) -> None:
        self.process = process
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {token}\r\nUser-Agent: load\r\n".encode()

    def cpu(self) -> float:
        """User and system seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> float:
        """Resident MiB now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the server is gone")


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    """A server with the product's definitions."""
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        command = [sys.executable, "-m", "eso_core.testing.apiserver", "--no-tls", "--kubeconfig", str(kubeconfig)]
        command += ["--crds", str(ROOT / "manifests" / "crds")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            url = (await asyncio.to_thread(process.stdout.readline)).strip()
            token = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
            yield Server(process, url, token)
        finally:
            process.terminate()
            process.wait()


class Connection:
    """A kept-alive connection of a raw client: the least a client can cost."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._head = server.head
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, server: Server) -> Connection:
        reader, writer = await asyncio.open_connection(server.host, server.port, limit=1 << 22)
        return cls(server, reader, writer)

    async def call(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\n".encode() + self._head
        if body:
            head += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n".encode()
        self._writer.write(head + b"\r\n" + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        start = answer.index(b"Content-Length: ") + 16
        length = int(answer[start : answer.index(b"\r\n", start)])
        content = await self._reader.readexactly(length)
        if answer[9:10] != b"2":
            raise RuntimeError(f"{method} {path}: {answer.decode()}{content.decode()}")
        return content

    async def watch(self, path: str) -> AsyncIterator[bytes]:
        """The chunks of a watch."""
        self._writer.write(f"GET {path} HTTP/1.1\r\n".encode() + self._head + b"\r\n")
        await self._reader.readuntil(b"\r\n\r\n")
        while True:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            chunk = await self._reader.readexactly(size + 2)
            if not size:
                return
            yield chunk[:-2]

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    body: bytes = b""
    media: str = "application/json"


async def load(server: Server, count: int, make: Callable[[int], Call]) -> tuple[float, float]:
    """Send requests on several connections; microseconds of the server's CPU per request, and requests per second."""
    numbers = iter(range(count))
    connections = [await Connection.open(server) for _ in range(CONNECTIONS)]

    async def work(connection: Connection) -> None:
        for number in numbers:
            call = make(number)
            await connection.call(call.method, call.path, call.body, call.media)

    cpu, began = server.cpu(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(work(connection))
    spent, seconds = server.cpu() - cpu, time.perf_counter() - began
    for connection in connections:
        connection.close()
    return spent / count * 1e6, count / seconds


def report(name: str, value: float, unit: str, budget: float, note: str = "") -> None:
    mark = "ok  " if value <= budget else "OVER"
    print(f"{mark} {name:<48} {value:9.1f} {unit:<5} (budget {budget:g}) {note}", flush=True)


async def measure(server: Server, name: str, budget: float, count: int, make: Callable[[int], Call]) -> None:
    cpu, rate = await load(server, count, make)
    report(name, cpu, "µs", budget, f"{rate:.0f}/s")


async def writes() -> None:
    """Custom resources with a large schema: create, replace, merge patch, status, apply, delete."""
    place = f"{GROUP}/namespaces/default/externalsecrets"
    status = {
        "refreshTime": "2026-01-01T00:00:00Z",
        "syncedResourceVersion": "1-abc",
        "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced"}],
    }
    async with running() as server:
        await measure(server, "create", 500, 3000, lambda n: Call("POST", place, external_secret(f"es-{n}")))

        listed = orjson.loads(await (await Connection.open(server)).call("GET", place))
        versions = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed["items"]}

        def replace(number: int) -> Call:
            name = f"es-{number}"
            return Call("PUT", f"{place}/{name}", external_secret(name, interval="2h", version=versions[name]))

        await measure(server, "update", 500, 3000, replace)

        def merge(number: int) -> Call:
            body = orjson.dumps({"spec": {"refreshInterval": f"{number % 50 + 3}h"}})
            return Call("PATCH", f"{place}/es-{number % 3000}", body, "application/merge-patch+json")

        await measure(server, "merge patch", 500, 3000, merge)

        def conditions(number: int) -> Call:
            body = orjson.dumps({"status": {**status, "syncedResourceVersion": f"{number}-abc"}})
            return Call("PATCH", f"{place}/es-{number % 3000}/status", body, "application/merge-patch+json")

        await measure(server, "merge patch of the status", 500, 3000, conditions)

        def apply(number: int) -> Call:
            path = f"{place}/ap-{number % 1000}?fieldManager=argocd"
            body = external_secret(f"ap-{number % 1000}", interval=f"{number // 1000 + 1}h")
            return Call("PATCH", path, body, "application/apply-patch+yaml")

        await measure(server, "server-side apply (a third creates)", 500, 3000, apply)
        await measure(server, "delete", 500, 3000, lambda n: Call("DELETE", f"{place}/es-{n}"))
        secrets = "/api/v1/namespaces/default/secrets"

        def secret(number: int) -> Call:
            data = dict.fromkeys(("username", "password", "host", "port"), "dmFsdWU=")
            meta = {"name": f"s-{number}", "labels": {"team": "blue"}}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data, "type": "Opaque"}
            return Call("POST", secrets, orjson.dumps(body))

        await measure(server, "create a Secret", 500, 3000, secret)


async def reads() -> None:
    """Get, small and paged lists, selectors."""
    place = f"{GROUP}/namespaces/default/externalsecrets"
    async with running() as server:
        await load(server, 2000, lambda n: Call("POST", place, external_secret(f"es-{n:05}")))
        await measure(server, "get", 200, 10_000, lambda n: Call("GET", f"{place}/es-{n % 2000:05}"))
        one = f"{place}?fieldSelector=metadata.name%3Des-00042"
        await measure(server, "list of one by name", 200, 5_000, lambda n: Call("GET", one))
        labelled = f"{place}?labelSelector=app.kubernetes.io%2Fname%3Des-00042"
        cpu, rate = await load(server, 100, lambda n: Call("GET", labelled))
        report("list of one of 2,000 by label", cpu, "µs", 10_000, f"{rate:.0f}/s")
        cpu, rate = await load(server, 100, lambda n: Call("GET", f"{place}?limit=500"))
        report("list page of 500, per object", cpu / 500, "µs", 5, f"{rate:.0f} pages/s")


async def watches() -> None:
    """200 watches, 100 changes per second for ten seconds: the delay of an event, early and late."""
    place = f"{GROUP}/namespaces/default/externalsecrets"
    watchers, changes, rate = 200, 1000, 100
    sent: dict[str, float] = {}
    delays: list[list[float]] = [[] for _ in range(10)]
    async with running() as server:
        await load(server, 100, lambda n: Call("POST", place, external_secret(f"es-{n}")))
        listed = orjson.loads(await (await Connection.open(server)).call("GET", f"{place}?limit=1"))
        version = listed["metadata"]["resourceVersion"]
        done = asyncio.Semaphore(0)

        async def follow() -> None:
            connection = await Connection.open(server)
            seen = 0
            async for chunk in connection.watch(f"{place}?watch=1&resourceVersion={version}"):
                now = time.perf_counter()
                for line in chunk.splitlines():
                    if line.startswith(b'{"type":"BOOKMARK"'):
                        continue
                    start = line.index(b'"refreshInterval":"') + 19
                    mark = line[start : line.index(b'"', start)].decode()
                    delays[seen * 10 // changes].append(now - sent[mark])
                    seen += 1
                    if seen == changes:
                        connection.close()
                        done.release()
                        return

        async with asyncio.TaskGroup() as group:
            for _ in range(watchers):
                group.create_task(follow())
            await asyncio.sleep(0.5)
            writer = await Connection.open(server)
            cpu, began = server.cpu(), time.perf_counter()
            for number in range(changes):
                mark = f"{number + 1}s"
                sent[mark] = time.perf_counter()
                body = orjson.dumps({"spec": {"refreshInterval": mark}})
                await writer.call("PATCH", f"{place}/es-{number % 100}", body, "application/merge-patch+json")
                await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.perf_counter()))
            writer.close()
            for _ in range(watchers):
                await done.acquire()
            spent, seconds = server.cpu() - cpu, time.perf_counter() - began
        early, late = (statistics.median(part) * 1e3 for part in (delays[1], delays[9]))
        worst = statistics.quantiles([delay for part in delays for delay in part], n=100)[98] * 1e3
        report("server CPU of 100 changes/s to 200 watches", spent / seconds * 100, "%", 100)
        report("delay of an event, second tenth, median", early, "ms", 50)
        report("delay of an event, last tenth, median", late, "ms", math.inf, f"99th percentile {worst:.1f} ms")
        report("growth of the delay", late / early, "times", 2)


async def memory() -> None:
    """50,000 ExternalSecrets, written one by one."""
    count = 50_000
    async with running() as server:
        empty = server.rss()
        namespaces = "/api/v1/namespaces"

        def namespace(number: int) -> Call:
            return Call("POST", namespaces, orjson.dumps({"metadata": {"name": f"ns-{number}"}}))

        await load(server, 50, namespace)

        def create(number: int) -> Call:
            ns = f"ns-{number % 50}"
            return Call("POST", f"{GROUP}/namespaces/{ns}/externalsecrets", external_secret(f"es-{number}", ns))

        cpu, rate = await load(server, count, create)
        full = server.rss()
        report("resident memory with 50,000 objects", full, "MiB", 250, f"{empty:.0f} MiB when empty")
        report("create, over 50,000", cpu, "µs", 500, f"{rate:.0f}/s")


async def start() -> None:
    """From nothing to the first answer, in a process that has imported the server; and from a snapshot."""
    program = """
import asyncio, time
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
async def main():
    for tls in (False, True):
        began = time.perf_counter()
        async with await ApiServer.start(ApiServerOptions(tls=tls)) as server:
            print((time.perf_counter() - began) * 1e3)
            snapshot = server.snapshot()
        began = time.perf_counter()
        async with await ApiServer.start(ApiServerOptions(tls=tls, snapshot=snapshot)):
            print((time.perf_counter() - began) * 1e3)
asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    plain, plain_again, tls, tls_again = map(float, done.stdout.split())
    report("start, HTTP", plain, "ms", 300)
    report("start, HTTPS with new certificates", tls, "ms", 300)
    report("start from a snapshot, HTTP", plain_again, "ms", 50)
    report("start from a snapshot, HTTPS", tls_again, "ms", 50)
    began = time.perf_counter()
    async with running():
        report("process start, imports and three definitions", (time.perf_counter() - began) * 1e3, "ms", 1500)


BENCHMARKS = {function.__name__: function for function in (start, writes, reads, watches, memory)}


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"-- {name}")
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    main()
