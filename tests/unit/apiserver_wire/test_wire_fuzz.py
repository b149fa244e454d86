"""Property tests of the wire: whatever bytes come, every request gets an answer or the connection ends; nothing hangs.

A request that the server understood only in part must not be taken for the start of the next one, and no bytes of a client
may make the server answer 500 or lose other connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.apiserver.options import ApiServerOptions

PATIENCE = 5.0
WORDS = st.sampled_from(
    [
        "/api/v1/namespaces/default/configmaps",
        "/api/v1/namespaces/default/secrets/x",
        "/apis",
        "/version",
        "/api//v1",
        "/",
    ]
)
CHARACTERS = st.characters(min_codepoint=1, max_codepoint=255)
LINES = st.text(CHARACTERS.filter(lambda char: char not in "\r\n"), max_size=40)
METHODS = st.one_of(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "get", "", "GE T"]), LINES
)
TARGETS = st.one_of(WORDS, st.builds("{}?{}".format, WORDS, LINES), st.builds("/{}".format, LINES), LINES)
VERSIONS = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 x", "", "http/1.1"])
NAMES = st.one_of(
    st.sampled_from(
        [
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Expect",
            "Content-Type",
            "Accept",
            "Accept-Encoding",
            "Authorization",
            "Impersonate-User",
            "Impersonate-Extra-",
            "If-None-Match",
        ]
    ),
    LINES,
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "0",
            "5",
            "-1",
            "+5",
            "5, 5",
            "99999999999999999999",
            "²",
            "0x5",
            "chunked",
            "gzip, chunked",
            "close",
            "keep-alive",
            "100-continue",
            "application/json",
            "application/json-patch+json",
            "application/vnd.kubernetes.protobuf",
            "application/apply-patch+yaml",
            "application/json;as=Table;g=meta.k8s.io;v=v1",
            "Bearer TOKEN",
            "Bearer",
            "Basic eDp5",
            "system:masters",
        ]
    ),
    LINES,
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"{}",
            b"null",
            b"[]",
            b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fuzzed"}}',
            b"5\r\n{    \r\n0\r\n\r\n",
            b"zz\r\n\r\n",
            b"ffffffffffffffff\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"\r\n\r\n",
            b"k8s\x00\xff\xff\xff",
            b"[" * 5000,
            b'{"a":' * 5000,
        ]
    ),
)
HEADS = st.builds(
    lambda method, target, version, headers: (
        f"{method} {target} {version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    ),
    METHODS,
    TARGETS,
    VERSIONS,
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
)
REQUESTS = st.builds(lambda head, body: head.encode("latin-1") + body, HEADS, BODIES)
FRAMED = st.builds(
    lambda method, target, headers, body: (
        (
            f"{method} {target} HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\nContent-Length: {len(body)}\r\n"
            + "".join(f"X-{number}: {value}\r\n" for number, value in enumerate(headers))
            + "\r\n"
        ).encode("latin-1")
        + body
    ),
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    st.one_of(WORDS, st.builds("{}/{}".format, WORDS, st.text("abz%2F.:-_~", max_size=12))),
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20), max_size=3),
    BODIES,
)

bounded = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def server() -> Iterator[BackgroundServer]:
    with BackgroundServer(ApiServerOptions(tls=False, max_body=64 * 1024)) as made:
        yield made


def exchange(server: BackgroundServer, *parts: bytes) -> bytes:
    """Send bytes, say that there is no more, and read until the server ends the connection."""

    async def run() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        try:
            async with asyncio.timeout(PATIENCE):
                for part in parts:
                    writer.write(part.replace(b"TOKEN", server.token.encode()))
                    await asyncio.sleep(0)
                writer.write_eof()
                return await reader.read()
        except OSError:  # the server has ended the connection while we were sending
            return b""
        finally:
            writer.close()

    return asyncio.run(run())


def statuses(answer: bytes, heads: tuple[bool, ...] = ()) -> list[int]:
    """The status codes of a run of answers with Content-Length; fails on anything else."""
    found: list[int] = []
    while answer:
        head, blank, answer = answer.partition(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        assert blank and line.startswith(b"HTTP/1.1 "), line
        code = int(line[9:12])
        if code == 100:
            continue
        found.append(code)
        fields = dict(field.lower().split(b": ", 1) for field in rest.split(b"\r\n"))
        length = int(fields[b"content-length"])
        if len(heads) >= len(found) and heads[len(found) - 1]:
            length = 0
        assert len(answer) >= length
        answer = answer[length:]
    return found


@given(data=st.one_of(REQUESTS, st.lists(REQUESTS, min_size=2, max_size=3).map(b"".join), st.binary(max_size=200)))
@bounded
def test_any_bytes_are_answered_or_end_the_connection(server: BackgroundServer, data: bytes) -> None:
    """No hang, no broken server, and the next client is served."""
    answer = exchange(server, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 500" not in answer
    assert statuses(exchange(server, b"GET /version HTTP/1.1\r\n\r\n")) == [200]


@given(requests=st.lists(FRAMED, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 400), max_size=4))
@bounded
def test_each_framed_request_has_one_answer(server: BackgroundServer, requests: list[bytes], cuts: list[int]) -> None:
    """Whatever is in a well-framed request, the connection survives it; how the bytes arrive does not matter."""
    data = b"".join(requests)
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    parts = [data[start:end] for start, end in pairwise(places)]
    heads = tuple(request.startswith(b"HEAD ") for request in requests)
    codes = statuses(exchange(server, *parts), heads)
    assert len(codes) == len(requests)
    assert not [code for code in codes if code >= 500], codes


@given(chunks=st.lists(st.binary(min_size=1, max_size=30), max_size=4), extension=st.sampled_from([b"", b";a=b"]))
@bounded
def test_a_chunked_body_is_the_body(server: BackgroundServer, chunks: list[bytes], extension: bytes) -> None:
    """The same answer as with Content-Length, and the next request on the connection is read at the right place."""
    head = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n"
    body = b"".join(chunks)
    after = b"GET /version HTTP/1.1\r\n\r\n"
    plain = exchange(server, head + b"Content-Length: %d\r\n\r\n" % len(body) + body + after)
    encoded = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks) + b"0\r\nX: y\r\n\r\n"
    chunked = exchange(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + encoded + after)
    assert statuses(plain) == statuses(chunked)
    assert statuses(plain)[-1] == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * 1_100_000,
        b"GET /" + b"x" * 1_100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /api/v1/namespaces HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b" " * 70_000,
        b"POST /api/v1/namespaces HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n"
        + b" " * 70_000
        + b"\r\n0\r\n\r\n",
        b"POST /api/v1/namespaces HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
    ids=["long-header", "long-path", "long-body", "long-chunk", "two-lengths", "folded", "no-colon"],
)
def test_what_is_refused_gets_one_answer_and_the_end(server: BackgroundServer, request_bytes: bytes) -> None:
    """A request whose end cannot be trusted is the last of its connection."""
    after = b"GET /version HTTP/1.1\r\n\r\n"
    codes = statuses(exchange(server, request_bytes, after))
    assert len(codes) <= 1
    assert set(codes) <= {400, 404, 413, 414, 431, 501}, codes


def test_half_a_request_costs_nobody_else_anything(server: BackgroundServer, caplog: pytest.LogCaptureFixture) -> None:
    """Clients that stop in the middle, or go away without reading, disturb no one."""
    caplog.set_level(logging.WARNING)

    async def run() -> None:
        port = int(server.url.rpartition(":")[2])
        stuck = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for number, (_, writer) in enumerate(stuck):
            writer.write(b"POST /api/v1/namespaces HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}"[: 10 + number * 2])
        for _, writer in stuck[:10]:
            writer.transport.abort()
        assert statuses(await asyncio.to_thread(exchange, server, b"GET /readyz HTTP/1.1\r\n\r\n")) == [200]
        for _, writer in stuck[10:]:
            writer.close()

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == []
