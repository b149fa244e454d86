"""Credentials from an external program (``users[].user.exec`` of a kubeconfig)."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from eso_core.aio import Clock, SingleFlight
from eso_core.client.credentials import Credential, bearer
from eso_core.client.tls import CertificatePair, Pem
from eso_core.meta.errors import ConfigError
from eso_core.meta.gvk import JsonObject
from eso_core.meta.time import parse_time

__all__ = ["ExecCredentials", "ExecSpec"]

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES = ("Never", "IfAvailable", "Always")
_TIME_LIMIT = 60.0
_LEEWAY_SECONDS = 10.0
_EXTENSION = "client.authentication.k8s.io/exec"

_log = logging.getLogger("eso_core.client")

CallStatus = Literal["no_error", "plugin_execution_error", "plugin_not_found_error", "client_internal_error"]


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """What to run and how."""

    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    api_version: str = _VERSIONS[0]
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"
    cluster: JsonObject | None = field(default=None, repr=False)

    @classmethod
    def from_kubeconfig(cls, section: JsonObject, cluster: JsonObject, where: str) -> ExecSpec:
        """From the ``exec`` section of a user.

        Raises:
            ConfigError: A field is missing or has a value that does not exist.
        """
        version = section.get("apiVersion") or ""
        if version not in _VERSIONS:
            raise ConfigError(f"reading {where}: exec.apiVersion {version!r} is not supported: use {_VERSIONS[0]}")
        if not section.get("command"):
            raise ConfigError(f"reading {where}: exec.command is missing")
        mode = section.get("interactiveMode") or ("" if version == _VERSIONS[0] else "IfAvailable")
        if mode not in _MODES:
            raise ConfigError(f"reading {where}: exec.interactiveMode must be one of {', '.join(_MODES)}, not {mode!r}")
        return cls(
            command=str(section["command"]),
            args=tuple(str(a) for a in section.get("args") or ()),
            env=tuple((str(e["name"]), str(e.get("value") or "")) for e in section.get("env") or ()),
            api_version=version,
            install_hint=str(section.get("installHint") or ""),
            interactive_mode=mode,
            cluster=_cluster_info(cluster) if section.get("provideClusterInfo") else None,
        )


class ExecCredentials:
    """Runs the program when there is no credential, when it is about to expire, and once after a 401.

    Attributes:
        on_call: Told about each run: exit code (as text) and how it went.
        on_rotation: Told how many seconds a certificate was in use when another one replaces it.
        expires: When the current credential ends; ``None`` when it does not say.
    """

    def __init__(self, spec: ExecSpec) -> None:
        self.spec = spec
        self.on_call: Callable[[str, CallStatus], None] | None = None
        self.on_rotation: Callable[[float], None] | None = None
        self.expires: datetime | None = None
        self._credential: Credential | None = None
        self._since = 0.0
        self._flight: SingleFlight[str, Credential] = SingleFlight()

    async def get(self, clock: Clock) -> Credential:
        credential = self._credential
        if credential is not None:
            if self.expires is None or (self.expires - clock.now()).total_seconds() > _LEEWAY_SECONDS:
                return credential
        return await self._flight.do("run", lambda: self._run(clock))

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        if self._credential is rejected or self._credential is None:
            await self._flight.do("run", lambda: self._run(clock))
        return True

    async def _run(self, clock: Clock) -> Credential:
        spec = self.spec
        tty = sys.stdin is not None and sys.stdin.isatty()
        if spec.interactive_mode == "Always" and not tty:
            raise ConfigError(
                f"running credential plugin {spec.command}: it needs a terminal and there is none: log in with it first, "
                "or use credentials that work without one"
            )
        interactive = tty and spec.interactive_mode != "Never"
        output = await self._execute(clock, interactive)
        credential, self.expires = self._parse(output)
        self._keep(credential, clock.monotonic())
        return credential

    def _keep(self, credential: Credential, now: float) -> None:
        old = self._credential.certificate if self._credential is not None else None
        if credential.certificate != old:
            if old is not None and self.on_rotation is not None:
                self.on_rotation(now - self._since)
            self._since = now
        self._credential = credential

    async def _execute(self, clock: Clock, interactive: bool) -> bytes:
        spec = self.spec
        info: dict[str, Any] = {"interactive": interactive}
        if spec.cluster is not None:
            info["cluster"] = spec.cluster
        document = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": info}
        env = {**os.environ, **dict(spec.env), "KUBERNETES_EXEC_INFO": json.dumps(document)}
        name = Path(spec.command).name
        try:
            process = await asyncio.create_subprocess_exec(
                spec.command,
                *spec.args,
                env=env,
                stdin=None if interactive else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=None if interactive else asyncio.subprocess.PIPE,
            )
        except OSError as exc:
            missing = isinstance(exc, FileNotFoundError)
            self._report("1", "plugin_not_found_error" if missing else "plugin_execution_error")
            what = "the program was not found" if missing else str(exc.strerror or exc)
            hint = f": {spec.install_hint}" if spec.install_hint else ": install it or fix exec.command"
            raise ConfigError(f"running credential plugin {spec.command}: {what}{hint}") from exc
        try:
            async with clock.timeout(_TIME_LIMIT):
                stdout, stderr = await process.communicate()
        except TimeoutError as exc:
            self._report("1", "plugin_execution_error")
            raise ConfigError(
                f"running credential plugin {spec.command}: no answer after {_TIME_LIMIT:g} s: run it by hand to see why"
            ) from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        for line in (stderr or b"").decode("utf-8", "replace").splitlines():
            _log.info("credential plugin %s: %s", name, line)
        if process.returncode != 0:
            self._report(str(process.returncode), "plugin_execution_error")
            raise ConfigError(
                f"running credential plugin {spec.command}: it ended with code {process.returncode}: "
                "see its messages in the log, or run it by hand"
            )
        self._report("0", "no_error")
        return stdout

    def _parse(self, output: bytes) -> tuple[Credential, datetime | None]:
        command = self.spec.command
        try:
            document = msgspec.json.decode(output)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The text of the decoder may quote the output, which is a credential.
            raise ConfigError(f"running credential plugin {command}: its output is no valid JSON") from None
        if not isinstance(document, dict) or document.get("kind") != "ExecCredential":
            raise ConfigError(f"running credential plugin {command}: its output is no ExecCredential")
        if document.get("apiVersion") != self.spec.api_version:
            raise ConfigError(
                f"running credential plugin {command}: it answered with apiVersion {document.get('apiVersion')!r}, "
                f"configured is {self.spec.api_version}: fix exec.apiVersion"
            )
        status = document.get("status") or {}
        token, cert, key = (
            str(status.get(field) or "") for field in ("token", "clientCertificateData", "clientKeyData")
        )
        if bool(cert) != bool(key):
            raise ConfigError(f"running credential plugin {command}: it gave a certificate without key, or the reverse")
        if not token and not cert:
            raise ConfigError(f"running credential plugin {command}: it gave neither a token nor a certificate")
        expires = None
        if status.get("expirationTimestamp"):
            try:
                expires = parse_time(str(status["expirationTimestamp"]))
            except ValueError as exc:
                raise ConfigError(f"running credential plugin {command}: bad expirationTimestamp: {exc}") from exc
        pair = CertificatePair(Pem(data=cert.encode()), Pem(data=key.encode())) if cert else None
        headers = bearer(token).headers if token else MappingProxyType({})
        return Credential(headers, pair), expires

    def _report(self, code: str, status: CallStatus) -> None:
        if self.on_call is not None:
            self.on_call(code, status)

    def __repr__(self) -> str:
        return f"ExecCredentials({self.spec.command!r})"


def _cluster_info(cluster: JsonObject) -> JsonObject:
    info: JsonObject = {"server": cluster.get("server")}
    for field_name in (
        "tls-server-name",
        "insecure-skip-tls-verify",
        "certificate-authority-data",
        "proxy-url",
        "disable-compression",
    ):
        if cluster.get(field_name):
            info[field_name] = cluster[field_name]
    if "certificate-authority-data" not in info and cluster.get("certificate-authority"):
        data = Pem(path=str(cluster["certificate-authority"])).read("the CA certificate")
        info["certificate-authority-data"] = base64.b64encode(data).decode()
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == _EXTENSION:
            info["config"] = extension.get("extension")
    return info
