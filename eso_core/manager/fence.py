"""No write of a process whose leadership has run out.

A process that was suspended, or whose loop stood still, wakes up in the middle of whatever it was doing: an answer is
there, and the next line of a reconcile writes. By then another process may lead. So each write asks the clock right before
it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eso_core.client import ApiRequest, ApiResponse, Interceptor, Send
from eso_core.meta.errors import LeaderElectionLost

__all__ = ["fence"]

_READS = ("GET", "HEAD")
# What says nothing about the state of the cluster may be told to the end; questions change nothing.
_HARMLESS = ("/apis/authentication.k8s.io/", "/apis/authorization.k8s.io/", "/apis/events.k8s.io/")


def fence(expired: Callable[[], bool]) -> Interceptor:
    """An interceptor that refuses writes while `expired()`.

    Raises:
        LeaderElectionLost: from requests that would write; nothing is sent.
    """

    async def send(request: ApiRequest, inner: Send) -> ApiResponse:
        if request.method in _READS or _is_harmless(request.path):
            return await inner(request)

        def check() -> None:
            if expired():
                raise LeaderElectionLost(
                    f"{request.method} {request.path}: not sent: the lease has run out, another process may lead now"
                )

        return await inner(replace(request, check=check))

    return send


def _is_harmless(path: str) -> bool:
    return path.startswith(_HARMLESS) or (path.startswith("/api/v1/") and "/events" in path)
