"""What all verbs share: the connections, the defaults of a client, and the binding of kinds."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from msgspec import Struct, structs

from eso_core.aio import Clock, SystemClock
from eso_core.client.agent import user_agent as full_agent
from eso_core.client.config import ClientConfig
from eso_core.client.execplugin import ExecCredentials
from eso_core.client.kinds import Binding, Kind, bind, gvk_of_kind
from eso_core.client.mapper import RESTMapper
from eso_core.client.request import ApiRequest, ApiResponse, Interceptor, Send
from eso_core.client.server_warnings import WarningHandler
from eso_core.client.transport import RetryPolicy, Transport
from eso_core.meta.errors import EsoCoreError, NoSubresource, NotFound
from eso_core.meta.gvk import GVK, ResourceInfo
from eso_core.meta.keys import ObjectKey, object_key
from eso_core.meta.object import Partial

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from eso_core.metrics.rest import RestMetrics
    from eso_core.tracing import Tracer

__all__ = ["Connection", "FieldValidation"]

FieldValidation = Literal["Strict", "Warn", "Ignore"]


class Defaults(Struct, frozen=True):
    """What a client fills into its requests."""

    field_manager: str = ""
    field_validation: FieldValidation | None = None
    dry_run: bool = False
    namespace: str = ""
    agent: str = ""


class Connection:
    """A server's connections and what is known about its kinds. ``Client`` adds the verbs.

    Args:
        config: Where the server is, from ``load_config``.
        clock: Time and waiting.
        user_agent: Name and version of the program, like ``eso/0.1``.
        field_manager: Who owns the fields that are written, unless a call says so.
        metrics: A ``RestMetrics``, or a registry on which to make one.
        on_warning: Takes the server's warnings instead of the log.
        retry: How often and how fast requests are repeated.
        environ: Where to look for proxies; the process's environment by default.
        tracer: Makes a span of each request.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        clock: Clock | None = None,
        user_agent: str = "eso/0.1",
        field_manager: str | None = None,
        metrics: RestMetrics | CollectorRegistry | None = None,
        on_warning: WarningHandler | None = None,
        retry: RetryPolicy | None = None,
        environ: Mapping[str, str] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.config = config
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._program = user_agent
        self.metrics = _rest_metrics(metrics, config, self.clock)
        """The metrics in use, to be passed to further clients on the same registry."""
        self._transport = Transport(
            config,
            clock=self.clock,
            user_agent=full_agent(user_agent),
            metrics=self.metrics,
            on_warning=on_warning,
            retry=retry,
            environ=environ,
            tracer=tracer,
        )
        self._send: Send = self._transport.send
        self.mapper = RESTMapper(self._transport.send, self.clock)
        self._bindings: dict[Kind, Binding[Any]] = {}
        self._defaults = Defaults(field_manager=field_manager or "")
        self._owner = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections. On a client made by a ``with_…`` method it does nothing: they belong to the first."""
        if self._owner:
            await self._transport.aclose()

    def with_namespace(self, namespace: str) -> Self:
        """A client that fills in this namespace and refuses any other."""
        return self._variant(namespace=namespace)

    def with_field_owner(self, name: str) -> Self:
        """A client whose writes are owned by ``name``."""
        return self._variant(field_manager=name)

    def with_field_validation(self, mode: FieldValidation) -> Self:
        """A client whose writes treat unknown and duplicate fields so."""
        return self._variant(field_validation=mode)

    def dry_run(self) -> Self:
        """A client whose writes are checked by the server and not kept."""
        return self._variant(dry_run=True)

    def with_role(self, role: str) -> Self:
        """A client that adds a part's name to the user agent, like ``leader-election``."""
        return self._variant(agent=full_agent(self._program, role))

    def with_interceptor(self, interceptor: Interceptor) -> Self:
        """A client whose requests (not watches) go through ``interceptor``, which may change or answer them."""
        variant = self._variant()
        inner = self._send

        async def send(request: ApiRequest) -> ApiResponse:
            return await interceptor(request, inner)

        variant._send = send
        return variant

    def _variant(self, **changes: Any) -> Self:
        variant = copy(self)
        variant._owner = False
        variant._defaults = structs.replace(self._defaults, **changes)
        return variant

    async def _bind(self, kind: Kind) -> Binding[Any]:
        """The binding of a kind that was not used before."""
        gvk = gvk_of_kind(kind)
        inner = kind.kind if isinstance(kind, Partial) else kind
        if not isinstance(inner, GVK):
            self.mapper.register(_declared(inner, gvk))
        binding = bind(kind, await self.mapper.mapping(gvk))
        self._bindings[kind] = binding
        return binding

    def _key(self, binding: Binding[Any], key: ObjectKey) -> ObjectKey:
        own = self._defaults.namespace
        if not own or not binding.info.namespaced:
            return key
        key = object_key(binding.gvk.kind, key)
        if not key.namespace:
            return ObjectKey(own, key.name)
        if key.namespace != own:
            raise ValueError(f"using {binding.gvk.kind} {key}: this client is confined to namespace {own!r}")
        return key

    def _namespace(self, binding: Binding[Any], namespace: str | None) -> str | None:
        own = self._defaults.namespace
        if not own or not binding.info.namespaced:
            return namespace
        if namespace and namespace != own:
            raise ValueError(
                f"using {binding.gvk.kind} in namespace {namespace!r}: this client is confined to namespace {own!r}"
            )
        return own

    async def _call(self, request: ApiRequest) -> ApiResponse:
        if self._defaults.agent:
            request.headers = {**(request.headers or {}), "User-Agent": self._defaults.agent}
        return await self._send(request)

    async def _write_part(
        self, binding: Binding[Any], key: ObjectKey, subresource: str, request: ApiRequest
    ) -> ApiResponse:
        """Sends a write of an object or a subresource, and tells an object that is gone from a subresource that is none."""
        try:
            return await self._call(request)
        except NotFound as gone:
            if not subresource:
                raise
            look = ApiRequest(
                "GET", binding.object(key), accept=binding.accept, kind=binding.gvk.kind, timeout=request.timeout
            )
            try:
                await self._call(look)
            except EsoCoreError:
                raise gone from None
            hint = ", or the class with status_subresource=True, and apply it" if subresource == "status" else ""
            raise NoSubresource(
                f"writing the {subresource} of {binding.gvk.kind} {key}: objects of this kind have no subresource "
                f"{subresource}: declare it in the definition{hint}"
            ) from gone


def _declared(cls: Any, gvk: GVK) -> ResourceInfo:
    return ResourceInfo(gvr=cls.gvr, namespaced=bool(cls.namespaced), singular=gvk.kind.lower(), kind=gvk.kind)


def _rest_metrics(
    metrics: RestMetrics | CollectorRegistry | None, config: ClientConfig, clock: Clock
) -> RestMetrics | None:
    if metrics is None:
        return None
    from eso_core.metrics.rest import RestMetrics

    found = metrics if isinstance(metrics, RestMetrics) else RestMetrics(metrics)
    credentials = config.credentials
    if isinstance(credentials, ExecCredentials):
        credentials.on_call, credentials.on_rotation = found.exec_plugin(lambda: credentials.expires, clock.now)
    return found
