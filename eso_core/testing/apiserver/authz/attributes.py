"""What a request asks to be allowed."""

from __future__ import annotations

from dataclasses import dataclass

from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.errors import StatusError, forbidden, path_forbidden


@dataclass(frozen=True, slots=True)
class Attributes:
    """A verb on a resource, or on a path when ``path`` is set."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """``widgets/status``, or the plain resource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def refusal(asked: Attributes) -> StatusError:
    """403 with the original's sentence."""
    who = f'User "{asked.user.name}" cannot {asked.verb}'
    if asked.path:
        return path_forbidden(f'{who} path "{asked.path}"')
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    message = f'{who} resource "{asked.full_resource}" in API group "{asked.group}" {where}'
    return forbidden(asked.resource, asked.group, asked.name, message)
