"""The environment as a whole."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import orjson
import yaml

from eso_core.aio import Clock, SystemClock
from eso_core.client import Client, config_from_kubeconfig, create_or_update
from eso_core.meta import format_duration, parse_duration
from eso_core.meta.errors import ApiError
from eso_core.testing.envtest.binaries import (
    Binaries,
    EnvTestError,
    Flags,
    api_server_flags,
    command_line,
    etcd_flags,
    find_binaries,
)
from eso_core.testing.envtest.pki import Authority, trusting, write_files
from eso_core.testing.envtest.process import Child, free_ports
from eso_core.testing.manifests import definitions

JsonObject = dict[str, Any]

_ADMIN: Final = ("kubernetes-admin", ("system:masters",))
_CRD_POLL: Final = 0.1
_CRD_LIMIT: Final = 10.0


@dataclass(frozen=True, slots=True)
class EnvTestOptions:
    """How an environment starts. What is None comes from the environment variables, then from the defaults.

    Attributes:
        assets: Folder of the binaries (``KUBEBUILDER_ASSETS``, ``TEST_ASSET_ETCD``, ``TEST_ASSET_KUBE_APISERVER``).
        crds: Files and folders with definitions to install.
        use_existing_cluster: Use the kubeconfig's cluster, start nothing (``USE_EXISTING_CLUSTER``).
        kubeconfig: Of the existing cluster (``ESO_TEST_KUBECONFIG``, ``KUBECONFIG``, ``~/.kube/config``).
        config: The same, decoded.
        start_timeout, stop_timeout: Seconds, 20 by default (``KUBEBUILDER_CONTROLPLANE_START_TIMEOUT``, ``…_STOP_TIMEOUT``).
        attach_output: Show what the processes print (``KUBEBUILDER_ATTACH_CONTROL_PLANE_OUTPUT``).
        etcd_flags, api_server_flags: Changes of the command lines, without dashes; None removes a flag.
    """

    assets: Path | None = None
    crds: Sequence[Path | str] = ()
    use_existing_cluster: bool | None = None
    kubeconfig: Path | None = None
    config: JsonObject | None = field(default=None, repr=False)
    start_timeout: float | None = None
    stop_timeout: float | None = None
    attach_output: bool | None = None
    etcd_flags: Flags = field(default_factory=dict)
    api_server_flags: Flags = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    clock: Clock = field(default_factory=SystemClock)

    def existing(self) -> bool:
        """Whether a cluster that is there is used."""
        if self.use_existing_cluster is not None:
            return self.use_existing_cluster
        return _flag(self.environ, "USE_EXISTING_CLUSTER") or bool(self.environ.get("ESO_TEST_KUBECONFIG"))

    def attached(self) -> bool:
        if self.attach_output is not None:
            return self.attach_output
        return _flag(self.environ, "KUBEBUILDER_ATTACH_CONTROL_PLANE_OUTPUT")

    def limit(self, given: float | None, variable: str) -> float:
        """Seconds of a limit, from a Go duration in the environment when not given. Raises `EnvTestError`."""
        if given is not None:
            return given
        text = self.environ.get(variable)
        if not text:
            return 20.0
        try:
            return parse_duration(text)
        except ValueError as error:
            example = format_duration(20.0)
            raise EnvTestError(f"reading {variable}: {text!r} is no duration: write it like {example}") from error


class EnvTest:
    """A running control plane, or a cluster that was there before. End it with `aclose`, or use ``async with``."""

    def __init__(self, options: EnvTestOptions) -> None:
        self._options = options
        self._clock = options.clock
        self._authority: Authority | None = None
        self._config: JsonObject = {}
        self._stack = AsyncExitStack()
        self.binaries: Binaries | None = None
        self.url = ""

    @classmethod
    async def start(cls, options: EnvTestOptions | None = None) -> Self:
        """Start (or find) the control plane, install the definitions, wait until they are served.

        Raises:
            EnvTestError: A binary is missing, a process does not come up, a definition is not served in time.
        """
        environment = cls(options or EnvTestOptions())
        try:
            if environment._options.existing():
                environment._use_existing()
            else:
                await environment._start()
            if environment._options.crds:
                await environment.install(*definitions(environment._options.crds))
        except BaseException:
            await environment.aclose()
            raise
        return environment

    def _use_existing(self) -> None:
        options = self._options
        if options.config is not None:
            self.url, self._config = config_from_kubeconfig(options.config).server, options.config
            return
        home = options.environ.get("HOME", "~")
        named = options.environ.get("ESO_TEST_KUBECONFIG") or options.environ.get("KUBECONFIG")
        path = options.kubeconfig or Path(named or Path(home) / ".kube" / "config")
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise EnvTestError(
                f"using the existing cluster: {path}: {error}: set KUBECONFIG to a readable kubeconfig"
            ) from error
        if not isinstance(loaded, dict):
            raise EnvTestError(f"using the existing cluster: {path} is no kubeconfig: set KUBECONFIG to one")
        self.url = config_from_kubeconfig(loaded).server
        self._config = loaded

    async def _start(self) -> None:
        options = self._options
        self.binaries = find_binaries(options.assets, options.environ)
        start = options.limit(options.start_timeout, "KUBEBUILDER_CONTROLPLANE_START_TIMEOUT")
        stop = options.limit(options.stop_timeout, "KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT")
        folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="envtest-", ignore_cleanup_errors=True))
        )
        data = folder / "etcd"
        data.mkdir(mode=0o700)
        etcd_port, peer_port, port = free_ports(3)
        self._authority = Authority()
        write_files(self._authority, folder)
        etcd_command = command_line(self.binaries.etcd, etcd_flags(data, etcd_port, peer_port), options.etcd_flags)
        etcd = await self._child("etcd", etcd_command, folder, stop)
        await etcd.wait_ready(etcd_port, "/health", None, start)
        server_command = command_line(
            self.binaries.api_server, api_server_flags(folder, etcd_port, port), options.api_server_flags
        )
        server = await self._child("kube-apiserver", server_command, folder, stop)
        await server.wait_ready(port, "/readyz", trusting(self._authority), start)
        self.url = f"https://127.0.0.1:{port}"
        self._config = self.add_user(*_ADMIN)

    async def _child(self, name: str, command: Sequence[str], folder: Path, stop: float) -> Child:
        child = await Child.start(name, command, folder, self._clock, attach=self._options.attached())
        self._stack.push_async_callback(child.stop, stop)
        return child

    # -- for its users

    @property
    def controllers(self) -> bool:
        """Whether garbage collection and namespace deletion can be expected: only of a cluster that was there before."""
        return self._authority is None

    def kubeconfig(self) -> JsonObject:
        """A kubeconfig of an administrator."""
        return self._config

    def write_kubeconfig(self, path: Path | str) -> None:
        """Write the administrator's kubeconfig, readable by the owner only."""
        text = yaml.safe_dump(self._config, sort_keys=False)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    def add_user(self, name: str, groups: Sequence[str] = ()) -> JsonObject:
        """A kubeconfig of a user with a client certificate.

        Raises:
            EnvTestError: The cluster was there before, so its authority's key is not ours.
        """
        if self._authority is None:
            raise EnvTestError(
                f"adding the user {name}: an existing cluster does not sign certificates for us: impersonate the user instead"
            )
        cert, key = self._authority.user(name, groups)
        user = {"client-certificate-data": _base64(cert), "client-key-data": _base64(key)}
        cluster = {"server": self.url, "certificate-authority-data": _base64(self._authority.pem)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "envtest", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "envtest", "context": {"cluster": "envtest", "user": name}}],
            "current-context": "envtest",
        }

    async def install(self, *manifests: JsonObject) -> None:
        """Create or update definitions and wait until discovery serves every version of them.

        Raises:
            EnvTestError: One was not served within 10 s.
        """
        async with Client(config_from_kubeconfig(self._config), clock=self._clock, user_agent="envtest") as client:
            for manifest in manifests:
                body = {**manifest, "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
                await create_or_update(client, body, _replacing(body))
            for manifest in manifests:
                await self._served(client, manifest["spec"])

    async def _served(self, client: Client, spec: JsonObject) -> None:
        plural, group = spec["names"]["plural"], spec["group"]
        missing = [version["name"] for version in spec["versions"] if version.get("served")]
        end = self._clock.monotonic() + _CRD_LIMIT
        while missing:
            try:
                listed = orjson.loads(await client.raw("GET", f"/apis/{group}/{missing[0]}"))
            except ApiError:
                listed = {}
            if any(resource["name"] == plural for resource in listed.get("resources", ())):
                missing.pop(0)
            elif self._clock.monotonic() >= end:
                raise EnvTestError(
                    f"installing {plural}.{group}: {missing[0]} is not served after {_CRD_LIMIT:g} s: look at the definition's conditions"
                )
            else:
                await self._clock.sleep(_CRD_POLL)

    async def install_webhooks(self, *manifests: JsonObject, host: str, port: int, ca: str) -> None:
        """Create or update webhook configurations so that they call a server of the test; see `local_webhooks`."""
        async with Client(config_from_kubeconfig(self._config), clock=self._clock, user_agent="envtest") as client:
            for manifest in manifests:
                body = local_webhooks(manifest, host=host, port=port, ca=ca)
                await create_or_update(client, body, _replacing(body))

    async def aclose(self) -> None:
        """Stop the processes and remove their files; an existing cluster is left alone."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def local_webhooks(manifest: JsonObject, *, host: str, port: int, ca: str) -> JsonObject:
    """A webhook configuration whose Services are replaced by a server on ``host:port`` with the authority ``ca`` (PEM)."""
    webhooks = []
    for webhook in manifest.get("webhooks") or ():
        config = webhook.get("clientConfig") or {}
        path = (config.get("service") or {}).get("path", "")
        if path and not path.startswith("/"):
            path = f"/{path}"
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        url = config.get("url") or f"https://{place}{path}"
        webhooks.append({**webhook, "clientConfig": {"url": url, "caBundle": _base64(ca)}})
    return {**manifest, "webhooks": webhooks}


def _replacing(body: JsonObject) -> Any:
    def mutate(live: JsonObject) -> None:
        for key, value in body.items():
            if key not in ("metadata", "status"):
                live[key] = value
        for key in ("labels", "annotations"):
            wanted = body["metadata"].get(key)
            if wanted:
                live["metadata"][key] = {**(live["metadata"].get(key) or {}), **wanted}

    return mutate


def _flag(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in ("1", "t", "true", "yes")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
