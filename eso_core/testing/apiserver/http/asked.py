"""A request for a resource, with everything that was found out about it before its verb runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.errors import bad_request
from eso_core.testing.apiserver.http.accept import PARTIAL, PARTIAL_LIST, TABLE, negotiate
from eso_core.testing.apiserver.http.message import Request, Response, warning_headers
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.http.table import TableView
from eso_core.testing.apiserver.resources import ResourceType, Version
from eso_core.testing.apiserver.rest.options import WriteOptions
from eso_core.testing.apiserver.rest.view import View
from eso_core.testing.apiserver.schema.gotext import quote
from eso_core.testing.apiserver.strategy import Call

_FORMS: Final = (PARTIAL, PARTIAL_LIST, TABLE)
_INCLUDED: Final = ("", "Metadata", "Object", "None")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what of which resource. ``now`` is when the request arrived."""

    request: Request
    target: Target
    user: User
    resource: ResourceType
    version: Version
    now: datetime

    def view(self, tables: TableView, *, listing: bool = False) -> View:
        """The representation that the client takes. Raises `StatusError` 406."""
        request = self.request
        representation = negotiate(request.header("accept"), self.resource.custom, _FORMS, listing)
        include = request.query.get("includeObject")
        if representation.form == TABLE and include not in _INCLUDED:
            text = f"includeObject: Invalid value: {quote(include)}: must be 'Metadata', 'Object', 'None', or empty"
            raise bad_request(f"Unable to convert to Table as requested: {text}")
        return View(self.resource, self.version, representation, tables, include)

    def call(self, options: WriteOptions, target: Target | None = None) -> Call:
        """The write that is asked for."""
        target = target or self.target
        return Call(
            self.resource,
            self.version,
            target.namespace,
            target.name,
            target.subresource,
            self.user,
            options.field_manager or _manager_of(self.request.header("user-agent")),
            options,
            self.now,
        )

    def answer(self, view: View, body: bytes, *, status: int = 200, warnings: list[str] | None = None) -> Response:
        """A body in the view's representation, with what there is to warn of."""
        texts = [*(warnings or ()), *self.deprecation()]
        return Response(status, body, view.representation.media, warning_headers(texts))

    def deprecation(self) -> list[str]:
        """What to say about the version, if it is deprecated."""
        version = self.version
        if not version.deprecated:
            return []
        return [version.warning or f"{self.resource.api_version(version.name)} {self.resource.kind} is deprecated"]


def _manager_of(user_agent: str) -> str:
    """The default field manager: the program's name in its user agent."""
    return user_agent.partition("/")[0][:128] or "unknown"
