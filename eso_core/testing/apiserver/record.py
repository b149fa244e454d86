"""What the server remembers of each request: for assertions, the audit log and metrics."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.http.message import Answer, Request
from eso_core.testing.apiserver.http.route import Target

JsonObject = dict[str, Any]


class Exchange:
    """One request and its answer. ``code`` is the HTTP status, 0 until answered."""

    __slots__ = (
        "applied",
        "code",
        "ended",
        "error",
        "impersonator",
        "method",
        "received",
        "target",
        "uri",
        "user",
        "user_agent",
        "verb",
    )

    def __init__(self, request: Request, received: datetime) -> None:
        self.method = request.method
        self.uri = request.target
        self.user_agent = request.header("user-agent")
        self.received = received
        self.ended = received
        self.verb = ""
        self.target: Target | None = None
        self.user: User | None = None
        self.impersonator: User | None = None
        self.error: StatusError | None = None
        self.code = 0
        self.applied = request.header("content-type").startswith("application/apply-patch")

    def finish(self, answer: Answer, now: datetime) -> None:
        """Note the outcome."""
        self.code = answer.status
        self.ended = now

    def audit_event(self) -> JsonObject:
        """The request as an audit event of level Metadata."""
        event: JsonObject = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": str(uuid.uuid4()),
            "stage": "ResponseComplete",
            "requestURI": self.uri,
            "verb": self.verb,
            "user": (self.impersonator or self.user or User("system:anonymous")).to_object(),
            "sourceIPs": ["127.0.0.1"],
            "userAgent": self.user_agent,
        }
        if self.impersonator is not None and self.user is not None:
            event["impersonatedUser"] = self.user.to_object()
        if self.target is not None:
            event["objectRef"] = _object_ref(self.target)
        status: JsonObject = {"metadata": {}, "code": self.code}
        if self.error is not None:
            status.update(status="Failure", message=self.error.message, reason=self.error.reason)
        event["responseStatus"] = status
        event["requestReceivedTimestamp"] = _micro(self.received)
        event["stageTimestamp"] = _micro(self.ended)
        return event


def _object_ref(target: Target) -> JsonObject:
    pairs = {
        "resource": target.resource,
        "namespace": target.namespace,
        "name": target.name,
        "apiGroup": target.group,
        "apiVersion": target.version,
        "subresource": target.subresource,
    }
    return {key: value for key, value in pairs.items() if value}


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
