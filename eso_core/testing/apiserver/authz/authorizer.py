"""The check that every request passes."""

from __future__ import annotations

from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.authz.attributes import Attributes
from eso_core.testing.apiserver.authz.rbac import Rbac
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.http.message import Request
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.rest.selectors import parse_fields


def resource_attributes(user: User, verb: str, target: Target, request: Request) -> Attributes:
    """What a request for a resource asks to be allowed."""
    name = target.name
    if not name and verb in ("list", "watch", "deletecollection") and "fieldSelector" in request.query:
        try:
            name = parse_fields(request.query.get("fieldSelector")).exact("metadata.name") or ""
        except StatusError:
            name = ""  # the request fails later, with the right text
    namespace = target.namespace
    if not target.group and target.resource == "namespaces" and target.name:
        namespace = target.name
    return Attributes(user, verb, target.group, target.version, target.resource, target.subresource, namespace, name)


class RbacAuthorizer:
    """Checks requests against RBAC."""

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    def check_resource(self, user: User, verb: str, target: Target, request: Request) -> None:
        """Raises `StatusError` 403."""
        self._rbac.check(resource_attributes(user, verb, target, request))

    def check_path(self, user: User, verb: str, path: str) -> None:
        """Raises `StatusError` 403."""
        self._rbac.check(Attributes(user, verb, path=path))
