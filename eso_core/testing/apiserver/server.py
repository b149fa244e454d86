"""The server as a whole: puts the parts together, listens, stops."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from eso_core.aio import TaskScope, Timer
from eso_core.testing.apiserver.admission.chain import AdmissionChain
from eso_core.testing.apiserver.admission.webhooks import Webhooks
from eso_core.testing.apiserver.authn.authenticator import Authenticator
from eso_core.testing.apiserver.authn.impersonation import impersonate, wanted_user
from eso_core.testing.apiserver.authn.secret_tokens import SecretTokenController
from eso_core.testing.apiserver.authn.tokens import ISSUER, TokenIssuer, TokenRefused
from eso_core.testing.apiserver.authn.user import AUTHENTICATED, User
from eso_core.testing.apiserver.authz.aggregation import AggregationController
from eso_core.testing.apiserver.authz.attributes import Attributes
from eso_core.testing.apiserver.authz.authorizer import RbacAuthorizer, resource_attributes
from eso_core.testing.apiserver.authz.bootstrap import BOOTSTRAP_BINDINGS, BOOTSTRAP_ROLES
from eso_core.testing.apiserver.authz.rbac import RBAC, Rbac
from eso_core.testing.apiserver.builtin import kinds
from eso_core.testing.apiserver.builtin.columns import BUILTIN_COLUMNS
from eso_core.testing.apiserver.certs import Certificates, make_certificates
from eso_core.testing.apiserver.conversion import Converter
from eso_core.testing.apiserver.crds import CRD_PATH, DefinitionController
from eso_core.testing.apiserver.errors import too_large
from eso_core.testing.apiserver.gc import GarbageCollector
from eso_core.testing.apiserver.http.app import Application, status_response
from eso_core.testing.apiserver.http.discovery import Discovery
from eso_core.testing.apiserver.http.documents import StandardDocuments
from eso_core.testing.apiserver.http.message import JSON, Answer, Request, Response
from eso_core.testing.apiserver.http.openapi import OpenApi
from eso_core.testing.apiserver.http.protocol import Connection, Connections
from eso_core.testing.apiserver.http.reading import Reading
from eso_core.testing.apiserver.http.resource_handlers import ResourceHandlers
from eso_core.testing.apiserver.http.reviews import Reviews
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.http.table import TableView
from eso_core.testing.apiserver.http.writing import Writing
from eso_core.testing.apiserver.internal import InternalCalls
from eso_core.testing.apiserver.metrics import ServerMetrics
from eso_core.testing.apiserver.namespaces import NamespaceController
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.record import Exchange
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType
from eso_core.testing.apiserver.rest.delete import Deleter
from eso_core.testing.apiserver.rest.watch import WatchLimits
from eso_core.testing.apiserver.rest.write import Writer
from eso_core.testing.apiserver.storage.appender import Appender
from eso_core.testing.apiserver.storage.statefile import Snapshot, StateFile, restore, take_snapshot
from eso_core.testing.apiserver.storage.store import Store, WindowLimits
from eso_core.testing.apiserver.webhook_client import WebhookClient

JsonObject = dict[str, Any]

_HOUSEKEEPING: Final = 30.0
_LOG: Final = logging.getLogger(__name__)


class ApiServer:
    """A running API server. Make one with `start`, end it with `aclose` (or use it in ``async with``)."""

    def __init__(self, options: ApiServerOptions) -> None:
        self._options = options
        self._clock = options.clock
        self.token = options.token
        self._state: StateFile | None = None
        self._audit: Appender | None = None
        self._service_account_key = ""
        self._timer: Timer | None = None
        self._certificates: Certificates | None = None
        self._listener: asyncio.Server | None = None
        self._connections = Connections()
        self._exchanges: deque[Exchange] = deque(maxlen=options.request_log)
        self._stack = AsyncExitStack()
        self._scope: TaskScope | None = None
        self._port = 0
        self._closed = False
        self._build()

    def _build(self) -> None:
        options = self._options
        limits = WindowLimits(max_changes=options.window_changes, max_age=options.window_age)
        self._store = Store(self._clock.monotonic, limits)
        self._registry = ResourceRegistry()
        kinds.register(self._registry)
        self._rbac = Rbac(self._store)
        self._webhook_client = WebhookClient(options.services)
        self._converter = Converter(self._webhook_client)
        admission = AdmissionChain(self._rbac, Webhooks(self._store, self._webhook_client))
        self._writer = Writer(self._store, admission, self._converter, lambda name: self._namespaces.phase(name))
        self._deleter = Deleter(self._store, admission, self._converter)
        self._calls = InternalCalls(self._store, self._registry, self._writer, self._deleter, self._clock)
        self._definitions = DefinitionController(self._store, self._registry, self._calls, self._soon)
        self._gc = GarbageCollector(
            self._store, self._registry, self._calls, self._soon if options.garbage_collection else _on_demand
        )
        self._namespaces = NamespaceController(self._store, self._registry, self._calls, self._ca_pem, self._soon)
        self._secret_tokens = SecretTokenController(
            self._store, self._registry, self._calls, lambda: self._tokens, self._ca_pem, self._soon
        )
        self._aggregation = AggregationController(self._store, self._calls, self._soon)
        self._metrics = ServerMetrics(self._object_counts, self._watch_count)

    @classmethod
    async def start(cls, options: ApiServerOptions | None = None) -> ApiServer:
        """Start a server and wait until it answers.

        Raises `OSError` when the port is taken, `StateError` when the state file cannot be used.
        """
        server = cls(options or ApiServerOptions())
        try:
            await server._open()
        except BaseException:
            await server.aclose()
            raise
        return server

    async def _open(self) -> None:
        options = self._options
        self._scope = await self._stack.enter_async_context(TaskScope("api server"))
        self._load_state()
        context = self._certificates.context() if self._certificates is not None else None
        self._definitions.start()
        self._gc.start()
        self._namespaces.start()
        self._bootstrap()
        self._secret_tokens.start()
        self._store.compact()
        if self._state is not None:
            self._state.attach(self._store, self._secrets())
        if options.listen:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(
                self._connection, options.host, options.port, ssl=context, backlog=512
            )
            self._port = self._listener.sockets[0].getsockname()[1]
        discovery = Discovery(self._registry, f"{options.host}:{self._port}")
        documents = StandardDocuments(discovery, OpenApi(self._registry), self._metrics.render, self._openid_documents)
        self._application = Application(
            self._clock,
            self._authenticate,
            RbacAuthorizer(self._rbac),
            documents,
            self._resources,
            self._finished,
            self._spawn,
            options.max_in_flight,
        )
        self._housekeeping()

    def _housekeeping(self) -> None:
        """Drop what has aged: history that nobody can resume from, Events."""
        self._store.trim()
        ttl = self._options.event_ttl
        if ttl:
            self._calls.delete_older("events", self._clock.monotonic() - ttl)
        self._timer = self._clock.call_later(_HOUSEKEEPING, self._housekeeping)

    def _load_state(self) -> None:
        """Objects and secrets of an earlier run, or new secrets."""
        options = self._options
        secrets_kept: JsonObject = {}
        if options.snapshot is not None:
            restore(self._store, options.snapshot.loaded())
            secrets_kept = options.snapshot.secrets
        if options.state_file is not None:
            self._state = StateFile(options.state_file)
            loaded = self._state.load()
            if loaded is not None:
                restore(self._store, loaded)
                secrets_kept = loaded.secrets
        if not options.token:
            self.token = secrets_kept.get("token") or secrets.token_urlsafe(24)
        if options.tls:
            kept = secrets_kept.get("certificates")
            self._certificates = Certificates(**kept) if kept else make_certificates(options.host)
        if options.audit_log is not None:
            self._audit = Appender(options.audit_log)
        self._service_account_key = secrets_kept.get("service_account_key", "")
        self._tokens = TokenIssuer(self._store, self._clock, self._service_account_key, self._keep_key)
        static = options.static_tokens(self.token)
        self._authenticator = Authenticator(static, anonymous=options.anonymous, tokens=self._token_user)
        reviews = Reviews(self._store, self._clock, self._rbac, self._tokens, self._authenticator.static_user)
        tables = TableView(self._clock.now, BUILTIN_COLUMNS)
        limits = WatchLimits(options.bookmark_interval)
        reading = Reading(self._store, self._clock, tables, limits, self._converter, self._spawn)
        writing = Writing(self._store, tables, self._writer, self._deleter, reading)
        self._resources = ResourceHandlers(self._registry, self._clock, reading, writing, reviews)

    def _keep_key(self, pem: str) -> None:
        self._service_account_key = pem
        if self._state is not None:
            self._state.keep_secrets(self._secrets())

    def _token_user(self, token: str) -> User | None:
        try:
            return self._tokens.user(token, [ISSUER])[0]
        except TokenRefused:
            return None

    def _bootstrap(self) -> None:
        """The roles and bindings that every server starts with."""
        for plural, objects in (("clusterroles", BOOTSTRAP_ROLES), ("clusterrolebindings", BOOTSTRAP_BINDINGS)):
            table = self._store.table(f"{RBAC}/{plural}")
            for obj in objects:
                if table.get(obj["metadata"]["name"]) is None:
                    self._calls.create(RBAC, "v1", plural, "", obj)
        self._aggregation.run()

    def _secrets(self) -> JsonObject:
        kept: JsonObject = {"token": self.token, "service_account_key": self._service_account_key}
        if self._certificates is not None:
            kept["certificates"] = asdict(self._certificates)
        return kept

    def _connection(self) -> Connection:
        limit = self._options.max_body
        return Connection(self._application, self._connections, limit, lambda: status_response(too_large(limit)))

    # -- parts for the parts

    def _soon(self, action: Callable[[], None]) -> None:
        if not self._closed:
            asyncio.get_running_loop().call_soon(self._run, action)

    def _run(self, action: Callable[[], None]) -> None:
        if not self._closed:
            action()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        if self._scope is None:
            coroutine.close()
            return None
        return self._scope.spawn(coroutine, name="api request", on_error=_log_failure)

    def _ca_pem(self) -> str:
        return self._certificates.ca_cert if self._certificates is not None else ""

    def _object_counts(self) -> dict[str, int]:
        return {path: len(table) for path, table in self._store.tables.items()}

    def _watch_count(self) -> int:
        return sum(len(table.watchers) for table in self._store.tables.values())

    def _authenticate(self, request: Request, verb: str, target: Target | None) -> tuple[User, User | None]:
        """Who acts, and who acts in their name, if anyone."""
        user = self._authenticator.user(request)
        if "impersonate-user" not in request.headers and not any(
            name.startswith("impersonate-") for name in request.headers
        ):
            return user, None
        wanted = wanted_user(request)
        if wanted is None:
            return user, None
        if target is None:
            asked = Attributes(user, verb, path=request.path)
        else:
            asked = resource_attributes(user, verb, target, request)
        return impersonate(user, wanted, asked, self._rbac), user

    def _openid_documents(self, request: Request, segments: list[str], user: User) -> Response | None:
        if segments == ["openid", "v1", "jwks"]:
            return Response(200, orjson.dumps(self._tokens.jwks()), "application/jwk-set+json")
        if segments == [".well-known", "openid-configuration"]:
            return Response(200, orjson.dumps(self._tokens.configuration(self.url)), JSON)
        return None

    def _finished(self, exchange: Exchange) -> None:
        self._metrics.count(exchange)
        self._exchanges.append(exchange)
        if self._audit is not None:
            self._audit.append(orjson.dumps(exchange.audit_event()) + b"\n")

    # -- for its users

    @property
    def url(self) -> str:
        """Where the server listens."""
        scheme = "https" if self._options.tls else "http"
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return f"{scheme}://{host}:{self._port}"

    def add_user(self, name: str, groups: Iterable[str] = ()) -> JsonObject:
        """A kubeconfig of another user, with a token of its own; what it may do is up to RBAC."""
        token = secrets.token_urlsafe(24)
        self._authenticator.add(token, User(name, groups=(*groups, AUTHENTICATED)))
        return self.kubeconfig(token)

    def kubeconfig(self, token: str = "") -> JsonObject:
        """A kubeconfig of the administrator, or of the user that a token belongs to."""
        cluster: JsonObject = {"server": self.url}
        if self._certificates is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self._certificates.ca_cert.encode()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token or self.token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
            "current-context": "local",
        }

    def install(self, manifest: JsonObject) -> None:
        """Create a CustomResourceDefinition, or replace the spec of the one that is there. Raises `StatusError`."""
        name = manifest["metadata"]["name"]
        group, version, plural = "apiextensions.k8s.io", "v1", "customresourcedefinitions"
        spec = manifest["spec"]
        if self._store.table(CRD_PATH).get(name) is None:
            content = {"metadata": manifest["metadata"], "spec": spec}
            self._calls.create(group, version, plural, "", content)
        else:
            self._calls.update(group, version, plural, "", name, lambda obj: {**obj, "spec": spec})
        self._definitions.run()

    def create(self, api_version: str, kind: str, obj: JsonObject, *, namespace: str = "") -> JsonObject:
        """Create an object from its metadata and content, past authorization and webhooks. Raises `StatusError`."""
        resource, version = self._served(api_version, kind)
        written = self._calls.create(resource.group, version, resource.plural, namespace, obj)
        return written.obj

    def get(self, api_version: str, kind: str, name: str, *, namespace: str = "") -> JsonObject | None:
        """A stored object; None when there is none."""
        resource, version = self._served(api_version, kind)
        entry = self._store.table(resource.path).get(f"{namespace}/{name}" if resource.namespaced else name)
        return None if entry is None else resource.strategy.read(resource, resource.versions[version], entry)

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str = "") -> None:
        """Delete an object if it is there; finalizers hold it as ever."""
        resource, _ = self._served(api_version, kind)
        entry = self._store.table(resource.path).get(f"{namespace}/{name}" if resource.namespaced else name)
        if entry is not None:
            self._calls.delete(resource, entry)

    def _served(self, api_version: str, kind: str) -> tuple[ResourceType, str]:
        group, _, version = api_version.rpartition("/")
        resource = self._registry.by_kind(group, kind)
        if resource is None or version not in resource.versions:
            raise LookupError(f"using {kind} of {api_version}: the server does not serve it: install its definition")
        return resource, version

    def requests(
        self, *, verb: str | None = None, resource: str | None = None, user_agent: str | None = None
    ) -> list[Exchange]:
        """The answered requests, oldest first, filtered by verb, resource and start of the user agent."""
        return [
            exchange
            for exchange in self._exchanges
            if (verb is None or exchange.verb == verb)
            and (resource is None or (exchange.target is not None and exchange.target.resource == resource))
            and (user_agent is None or exchange.user_agent.startswith(user_agent))
        ]

    def handle(self, request: Request, respond: Callable[[Answer], None]) -> None:
        """Answer a request that came another way than through a socket."""
        self._application(request, respond)

    def snapshot(self) -> Snapshot:
        """The present state, to start other servers from (`ApiServerOptions.snapshot`)."""
        return take_snapshot(self._store, self._secrets())

    def compact(self) -> None:
        """Forget all history: watches and lists of earlier versions answer 410 from now on."""
        self._store.compact()

    async def run_gc(self) -> None:
        """Let garbage collection and the other controllers finish what is due now."""
        controllers = (self._definitions, self._gc, self._namespaces, self._aggregation, self._secret_tokens)
        while not all(controller.idle for controller in controllers):
            for controller in controllers:
                controller.run()

    async def aclose(self) -> None:
        """Stop: open watches and connections end."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._listener.close()
        self._connections.close()
        if self._listener is not None:
            await self._listener.wait_closed()
            self._listener = None
        if self._scope is not None:
            await self._scope.cancel()
            self._scope = None
        await self._stack.aclose()
        await self._webhook_client.aclose()
        await self._connections.wait_empty()
        if self._audit is not None:
            await self._audit.aclose()
            self._audit = None
        if self._state is not None:
            await self._state.aclose()
            self._state = None

    async def __aenter__(self) -> ApiServer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def write_kubeconfig(self, path: Path | str) -> None:
        """Write the administrator's kubeconfig, readable by the owner only."""
        write_private(Path(path), yaml.safe_dump(self.kubeconfig(), sort_keys=False))


def _on_demand(action: Callable[[], None]) -> None:
    """A schedule on which nothing runs by itself."""


def _log_failure(error: BaseException) -> None:
    _LOG.error("answering a request failed", exc_info=error)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, with mode 0600."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


__all__ = ["ApiServer"]
