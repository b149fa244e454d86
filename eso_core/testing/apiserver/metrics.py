"""Counters of the server in the Prometheus text form."""

from __future__ import annotations

from collections.abc import Callable

from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.record import Exchange

Labels = tuple[tuple[str, str], ...]
Key = tuple[int, str, str, str, str, str, str]


class ServerMetrics:
    """Counts requests as kube-apiserver does; objects and watchers are asked for when shown."""

    def __init__(self, objects: Callable[[], dict[str, int]], watchers: Callable[[], int]) -> None:
        self._requests: dict[Key, int] = {}
        self._objects = objects
        self._watchers = watchers

    def count(self, exchange: Exchange) -> None:
        """Note one answered request."""
        target = exchange.target
        if target is None:
            key: Key = (exchange.code, _verb(exchange), "", "", "", exchange.uri.partition("?")[0], "")
        else:
            key = (
                exchange.code,
                _verb(exchange),
                target.group,
                target.version,
                target.resource,
                target.subresource,
                _scope(exchange, target),
            )
        self._requests[key] = self._requests.get(key, 0) + 1

    def render(self) -> str:
        """The text of ``/metrics``."""
        lines = [
            "# HELP apiserver_request_total Counter of apiserver requests broken out for each verb, dry run value, "
            "group, version, resource, scope, component, and HTTP response code.",
            "# TYPE apiserver_request_total counter",
        ]
        lines += [
            _line("apiserver_request_total", _labels(key), count) for key, count in sorted(self._requests.items())
        ]
        lines += [
            "# HELP apiserver_storage_objects Number of stored objects at the time of the request.",
            "# TYPE apiserver_storage_objects gauge",
        ]
        objects = sorted(self._objects().items())
        lines += [_line("apiserver_storage_objects", (("resource", path),), count) for path, count in objects]
        lines += [
            "# HELP apiserver_registered_watchers Number of open watches.",
            "# TYPE apiserver_registered_watchers gauge",
            f"apiserver_registered_watchers {self._watchers()}",
        ]
        return "\n".join(lines) + "\n"


def _verb(exchange: Exchange) -> str:
    names = {"create": "POST", "update": "PUT", "patch": "PATCH", "deletecollection": "DELETECOLLECTION"}
    if exchange.verb == "patch" and exchange.applied:
        return "APPLY"
    return names.get(exchange.verb, exchange.verb.upper())


def _scope(exchange: Exchange, target: Target) -> str:
    if target.name or exchange.verb == "create":
        return "resource"
    return "namespace" if target.namespace else "cluster"


def _labels(key: Key) -> Labels:
    code, verb, group, version, resource, subresource, scope = key
    return (
        ("code", str(code)),
        ("component", "apiserver"),
        ("dry_run", ""),
        ("group", group),
        ("resource", resource),
        ("scope", scope),
        ("subresource", subresource),
        ("verb", verb),
        ("version", version),
    )


def _line(name: str, labels: Labels, value: int) -> str:
    shown = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    return f"{name}{{{shown}}} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
