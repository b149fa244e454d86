"""Writes after the leadership has run out."""

from __future__ import annotations

import pytest

from eso_core.client import ApiRequest, ApiResponse
from eso_core.manager.fence import fence
from eso_core.meta.errors import LeaderElectionLost


class Wire:
    """Calls the check as the transport does, and remembers what went out."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.expires_while_waiting = False
        self.expired = False

    async def send(self, request: ApiRequest) -> ApiResponse:
        self.expired = self.expired or self.expires_while_waiting
        if request.check is not None:
            request.check()
        self.sent.append(f"{request.method} {request.path}")
        return ApiResponse(200, {}, b"{}")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_no_write_is_sent_after_the_lease_ran_out(method: str) -> None:
    """M-35: also when it runs out while the request waits for its turn or for credentials."""
    wire = Wire()
    send = fence(lambda: wire.expired)
    path = "/api/v1/namespaces/a/configmaps/b"
    await send(ApiRequest(method, path), wire.send)
    assert wire.sent == [f"{method} {path}"]
    wire.expires_while_waiting = True
    with pytest.raises(LeaderElectionLost, match=f"^{method} {path}: not sent: the lease has run out"):
        await send(ApiRequest(method, path), wire.send)
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    "request_",
    [
        ApiRequest("GET", "/api/v1/secrets"),
        ApiRequest("POST", "/api/v1/namespaces/a/events"),
        ApiRequest("PATCH", "/apis/events.k8s.io/v1/namespaces/a/events/x"),
        ApiRequest("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
    ],
)
async def test_reads_events_and_questions_go_on(request_: ApiRequest) -> None:
    """They change nothing that another leader relies on."""
    wire = Wire()
    wire.expired = True
    await fence(lambda: True)(request_, wire.send)
    assert len(wire.sent) == 1
