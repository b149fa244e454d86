"""Requests for resources: finds the resource, and the verb that answers."""

from __future__ import annotations

from eso_core.aio import Clock
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.errors import bad_request
from eso_core.testing.apiserver.http.asked import Asked
from eso_core.testing.apiserver.http.message import Answer, Request
from eso_core.testing.apiserver.http.reading import Reading
from eso_core.testing.apiserver.http.reviews import Reviews
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.http.writing import Writing
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType


class ResourceHandlers:
    """Answers every request that names a resource."""

    def __init__(
        self, registry: ResourceRegistry, clock: Clock, reading: Reading, writing: Writing, reviews: Reviews
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._reading = reading
        self._writing = writing
        self._reviews = reviews

    async def handle(self, request: Request, target: Target, verb: str, user: User) -> Answer:
        """Find the resource and run the verb. Raises `StatusError` or `PlainError`."""
        answer = self._reviews.handle(request, target, verb, user)
        if answer is not None:
            return answer
        resource = self._find(target)
        if request.method == "HEAD" and not resource.custom:
            raise errors.method_not_allowed()
        asked = Asked(request, target, user, resource, resource.versions[target.version], self._clock.now())
        if target.subresource:
            return await self._subresource(asked, verb)
        _check_method(target, verb, resource)
        match verb:
            case "get":
                return await self._reading.get(asked)
            case "list":
                return await self._reading.list(asked)
            case "watch":
                return await self._reading.watch(asked)
            case "create":
                return await self._writing.create(asked)
            case "update":
                return await self._writing.update(asked)
            case "patch":
                return await self._writing.patch(asked)
            case "delete":
                return await self._writing.delete(asked)
            case "deletecollection":
                return await self._writing.delete_collection(asked)
        raise errors.method_not_allowed()

    def _find(self, target: Target) -> ResourceType:
        resource = self._registry.find(target.group, target.version, target.resource)
        if resource is not None:
            misplaced = bool(target.namespace) and not resource.namespaced
            homeless = bool(target.name) and not target.namespace and resource.namespaced
            if misplaced or homeless:
                raise errors.path_not_found() if resource.custom else errors.resource_not_found()
            return resource
        group = self._registry.group(target.group)
        if group is not None and group.builtin and target.version in group.versions:
            raise errors.resource_not_found()
        raise errors.path_not_found()

    async def _subresource(self, asked: Asked, verb: str) -> Answer:
        resource, version, subresource = asked.resource, asked.version, asked.target.subresource
        if subresource == "status" and version.status:
            if verb == "get":
                return await self._reading.get(asked)
            if verb == "update":
                return await self._writing.update(asked)
            if verb == "patch":
                return await self._writing.patch(asked)
        if subresource == "scale" and version.scale is not None and verb in ("get", "update", "patch"):
            return await self._writing.scale(asked, verb)
        if resource.custom:
            if verb == "delete":
                raise errors.verb_not_supported(resource.plural, resource.group, "delete")
            raise errors.not_found(resource.plural, resource.group, asked.target.name)
        if subresource == "token" and resource.path == "serviceaccounts" and verb == "create":
            return self._reviews.token_request(asked.request, asked.target)
        if subresource == "finalize" and resource.path == "namespaces" and verb == "update":
            return await self._writing.update(asked)
        if any(known.name == subresource for known in resource.subresources):
            raise errors.method_not_allowed()
        raise errors.resource_not_found()


def _check_method(target: Target, verb: str, resource: ResourceType) -> None:
    """What the path and the resource allow. Raises `StatusError` or `PlainError`."""
    if resource.namespaced and not target.namespace and verb not in ("list", "watch"):
        raise errors.path_not_found() if resource.custom else errors.method_not_allowed()
    if resource.custom:
        if verb in ("update", "patch") and not target.name:
            raise bad_request("name must be provided")
        if verb not in resource.verbs:
            raise errors.method_not_allowed()
        return
    if verb not in resource.verbs:
        raise errors.method_not_allowed()
    if (verb == "create" and target.name) or (verb in ("update", "patch") and not target.name):
        raise errors.method_not_allowed()
