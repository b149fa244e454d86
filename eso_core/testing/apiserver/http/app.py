"""From a request to its answer: who asks, what for, may they, and which verb does it."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import orjson

from eso_core.aio import Clock
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.errors import PlainError, StatusError
from eso_core.testing.apiserver.http.message import JSON, TEXT, Answer, Request, Response, warning_headers
from eso_core.testing.apiserver.http.resource_handlers import ResourceHandlers
from eso_core.testing.apiserver.http.route import Target, parse_target, verb_of
from eso_core.testing.apiserver.http.suspend import Suspended, step
from eso_core.testing.apiserver.record import Exchange

_LOG: Final = logging.getLogger(__name__)
_GZIP_FROM: Final = 128 * 1024
_CACHE: Final = ("Cache-Control", "no-cache, private")


class Authorizer(Protocol):
    """Decides whether a user may do something. Raises `StatusError` 403."""

    def check_resource(self, user: User, verb: str, target: Target, request: Request) -> None: ...
    def check_path(self, user: User, verb: str, path: str) -> None: ...


class Documents(Protocol):
    """Answers to paths that are no resources; None when there is no such path."""

    def __call__(self, request: Request, segments: list[str], user: User) -> Response | None: ...


class Application:
    """The server's request handler."""

    def __init__(
        self,
        clock: Clock,
        authenticate: Callable[[Request, str, Target | None], tuple[User, User | None]],
        authorizer: Authorizer,
        documents: Documents,
        resources: ResourceHandlers,
        finished: Callable[[Exchange], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        max_in_flight: int,
    ) -> None:
        self._clock = clock
        self._authenticate = authenticate
        self._authorizer = authorizer
        self._documents = documents
        self._resources = resources
        self._finished = finished
        self._spawn = spawn
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    def __call__(self, request: Request, respond: Callable[[Answer], None]) -> None:
        """Answer a request, at once unless it needs something from outside (a webhook)."""
        exchange = Exchange(request, self._clock.now())

        def finish(answer: Answer) -> None:
            if isinstance(answer, Response) and answer.content_type:
                answer.headers.append(_CACHE)
                if len(answer.body) > _GZIP_FROM and "gzip" in request.header("accept-encoding"):
                    _compress(answer)
            exchange.finish(answer, self._clock.now())
            self._finished(exchange)
            respond(answer)

        if self._in_flight >= self._max_in_flight:
            text = b"Too many requests, please try again later.\n"
            finish(Response(429, text, TEXT, [("Retry-After", "1")]))
            return
        outcome = step(self._answer(request, exchange))
        if isinstance(outcome, Suspended):
            self._spawn(self._later(outcome, finish))
        else:
            finish(outcome)

    async def _later(self, suspended: Suspended[Answer], finish: Callable[[Answer], None]) -> None:
        self._in_flight += 1
        try:
            answer = await suspended
        finally:
            self._in_flight -= 1
        finish(answer)

    async def _answer(self, request: Request, exchange: Exchange) -> Answer:
        try:
            return await self._route(request, exchange)
        except StatusError as error:
            exchange.error = error
            return status_response(error)
        except PlainError as error:
            return Response(error.code, error.text.encode(), TEXT, [("X-Content-Type-Options", "nosniff")])
        except Exception as error:
            _LOG.exception("answering %s %s", request.method, request.path)
            return status_response(errors.internal(f"{type(error).__name__}"))

    async def _route(self, request: Request, exchange: Exchange) -> Answer:
        segments = request.segments()
        target = parse_target(segments)
        if target is None:
            verb = request.method.lower()
        else:
            verb = verb_of(request.method, target, request.query.flag("watch"))
        exchange.target, exchange.verb = target, verb
        user, impersonator = self._authenticate(request, verb, target)
        exchange.user, exchange.impersonator = user, impersonator
        if target is None:
            self._authorizer.check_path(user, verb, request.path)
            response = self._documents(request, segments, user)
            if response is None:
                raise errors.path_not_found()
            return response
        self._authorizer.check_resource(user, verb, target, request)
        return await self._resources.handle(request, target, verb, user)


def _compress(answer: Response) -> None:
    # The original compresses at the fastest level too; this is about the network, not about size.
    answer.body = gzip.compress(answer.body, compresslevel=1, mtime=0)
    answer.headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]


def status_response(error: StatusError) -> Response:
    """A failure as an answer."""
    response = Response(error.code, orjson.dumps(error.to_status()), JSON, warning_headers(error.warnings))
    if error.retry_after is not None:
        response.headers.append(("Retry-After", str(error.retry_after)))
    return response
