"""Paths that are no resources: discovery, OpenAPI, health, version, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.http.discovery import Discovery
from eso_core.testing.apiserver.http.message import JSON, TEXT, Request, Response
from eso_core.testing.apiserver.http.openapi import OpenApi

JsonObject = dict[str, Any]

VERSION: Final[JsonObject] = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.3+eso",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "cpython",
    "platform": "linux/amd64",
}
_HEALTH: Final = ("healthz", "livez", "readyz")
_CHECKS: Final = ("ping", "log", "storage", "controllers")
Extra = Callable[[Request, list[str], User], Response | None]


class StandardDocuments:
    """Answers what every API server answers. ``extra`` is asked first."""

    def __init__(self, discovery: Discovery, openapi: OpenApi, metrics: Callable[[], str], extra: Extra) -> None:
        self._discovery = discovery
        self._openapi = openapi
        self._metrics = metrics
        self._extra = extra

    def __call__(self, request: Request, segments: list[str], user: User) -> Response | None:
        found = self._extra(request, segments, user)
        if found is not None:
            return found
        found = self._find(request, segments)
        if found is not None and request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return found

    def _find(self, request: Request, segments: list[str]) -> Response | None:
        if not segments:
            return self._root()
        if segments[0] in ("api", "apis"):
            return self._discovery.answer(request, segments)
        if segments[0] == "openapi":
            return self._openapi.answer(request, segments)
        if segments[0] in _HEALTH:
            return self._health(request, segments)
        if segments == ["version"]:
            return Response(200, orjson.dumps(VERSION), JSON)
        if segments == ["metrics"]:
            return Response(200, self._metrics().encode(), "text/plain; version=0.0.4; charset=utf-8")
        return None

    @staticmethod
    def _root() -> Response:
        paths = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3"]
        return Response(200, orjson.dumps({"paths": [*paths, "/readyz", "/version"]}), JSON)

    @staticmethod
    def _health(request: Request, segments: list[str]) -> Response | None:
        if len(segments) == 1:
            if "verbose" not in request.query:
                return Response(200, b"ok", TEXT)
            lines = [f"[+]{name} ok" for name in _CHECKS] + [f"{segments[0]} check passed"]
            return Response(200, ("\n".join(lines) + "\n").encode(), TEXT)
        if len(segments) == 2 and segments[1] in _CHECKS:
            return Response(200, b"ok", TEXT)
        return None
