"""Counters of the server in the Prometheus text form."""

from __future__ import annotations

from collections.abc import Callable

from eso_core.testing.apiserver.record import Exchange

Labels = tuple[tuple[str, str], ...]


class ServerMetrics:
    """Counts requests as kube-apiserver does; objects and watchers are asked for when shown."""

    def __init__(self, objects: Callable[[], dict[str, int]], watchers: Callable[[], int]) -> None:
        self._requests: dict[Labels, int] = {}
        self._objects = objects
        self._watchers = watchers

    def count(self, exchange: Exchange) -> None:
        """Note one answered request."""
        target = exchange.target
        labels = (
            ("code", str(exchange.code)),
            ("component", "apiserver"),
            ("dry_run", ""),
            ("group", target.group if target else ""),
            ("resource", target.resource if target else ""),
            ("scope", _scope(exchange)),
            ("subresource", target.subresource if target else exchange.uri.partition("?")[0]),
            ("verb", _verb(exchange)),
            ("version", target.version if target else ""),
        )
        self._requests[labels] = self._requests.get(labels, 0) + 1

    def render(self) -> str:
        """The text of ``/metrics``."""
        lines = [
            "# HELP apiserver_request_total Counter of apiserver requests broken out for each verb, dry run value, "
            "group, version, resource, scope, component, and HTTP response code.",
            "# TYPE apiserver_request_total counter",
        ]
        lines += [_line("apiserver_request_total", labels, count) for labels, count in sorted(self._requests.items())]
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


def _scope(exchange: Exchange) -> str:
    target = exchange.target
    if target is None:
        return ""
    if target.name or exchange.verb == "create":
        return "resource"
    return "namespace" if target.namespace else "cluster"


def _line(name: str, labels: Labels, value: int) -> str:
    shown = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    return f"{name}{{{shown}}} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
