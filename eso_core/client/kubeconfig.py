"""Kubeconfig files: read, merged, and turned into a client configuration."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from eso_core.client.config import ClientConfig, Impersonation
from eso_core.client.credentials import Anonymous, BasicAuth, Credentials, FileToken, StaticToken
from eso_core.client.execplugin import ExecCredentials, ExecSpec
from eso_core.client.oidc import OidcCredentials
from eso_core.client.tls import Pem
from eso_core.client.writeback import KubeconfigTokens
from eso_core.meta.errors import ConfigError
from eso_core.meta.gvk import JsonObject

__all__ = ["config_from_kubeconfig", "from_files", "merge"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECTIONS = (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))
_PATH_FIELDS = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}


def from_files(
    paths: Sequence[Path], context: str | None = None, *, missing_ok: bool, write_back: bool = False
) -> ClientConfig:
    """Reads and merges files, then builds the configuration. Does file I/O.

    Args:
        paths: In order of precedence.
        context: Instead of the current one.
        missing_ok: Files that do not exist are skipped, as long as one does.
        write_back: Renewed OIDC tokens go into the file that defines their user.

    Raises:
        ConfigError: No file, no YAML, or a configuration that cannot be used.
    """
    documents: list[JsonObject] = []
    read: list[Path] = []
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError as exc:
            if missing_ok:
                continue
            raise ConfigError(f"reading kubeconfig {path}: the file does not exist: check the path") from exc
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"reading kubeconfig {path}: {exc}: check the file") from exc
        documents.append(_parse(text, path))
        read.append(path)
    names = ", ".join(str(p) for p in paths)
    if not documents:
        raise ConfigError(f"reading kubeconfig {names}: none of the files exists: check KUBECONFIG")
    merged = merge(documents)
    config = config_from_kubeconfig(merged, context, source=f"kubeconfig {names}")
    if write_back and isinstance(config.credentials, OidcCredentials):
        chosen = context or merged["current-context"]
        user = _named(merged, "contexts", "context", "kubeconfig")[chosen]["user"]
        origin = next(
            path
            for path, document in zip(read, documents, strict=True)
            if any(entry["name"] == user for entry in document.get("users") or ())
        )
        config.credentials.write_back = KubeconfigTokens(origin, user)
    return config


def merge(documents: Sequence[JsonObject]) -> JsonObject:
    """One kubeconfig out of several: the first definition of a name or value wins."""
    merged: JsonObject = {"current-context": ""}
    for section, _ in _SECTIONS:
        seen: dict[str, Any] = {}
        for document in documents:
            for entry in document.get(section) or ():
                seen.setdefault(entry["name"], entry)
        merged[section] = list(seen.values())
    for document in documents:
        if document.get("current-context"):
            merged["current-context"] = document["current-context"]
            break
    return merged


def config_from_kubeconfig(
    document: JsonObject, context: str | None = None, *, source: str = "kubeconfig"
) -> ClientConfig:
    """The client configuration of one context.

    Raises:
        ConfigError: Context, cluster or user are missing or cannot be used.
    """
    name = context or document.get("current-context") or ""
    contexts = _named(document, "contexts", "context", source)
    if not name:
        known = ", ".join(sorted(contexts)) or "none"
        raise ConfigError(f"reading {source}: no current-context is set: pass --context (there are: {known})")
    if name not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise ConfigError(f"reading {source}: context {name!r} does not exist: choose one of: {known}")
    chosen = contexts[name]
    clusters = _named(document, "clusters", "cluster", source)
    cluster = clusters.get(chosen.get("cluster") or "")
    if cluster is None or not cluster.get("server"):
        raise ConfigError(
            f"reading {source}: context {name!r} names cluster {chosen.get('cluster')!r}, "
            f"which {'does not exist' if cluster is None else 'has no server'}: fix the context"
        )
    user: JsonObject = {}
    if chosen.get("user"):
        users = _named(document, "users", "user", source)
        if chosen["user"] not in users:
            raise ConfigError(f"reading {source}: context {name!r} names user {chosen['user']!r}, which does not exist")
        user = users[chosen["user"]]
    where = f"{source}, context {name!r}"
    return ClientConfig(
        server=str(cluster["server"]),
        namespace=chosen.get("namespace") or "default",
        ca=_pem(cluster, "certificate-authority", where),
        insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.get("tls-server-name") or "",
        client_cert=_pem(user, "client-certificate", where),
        client_key=_pem(user, "client-key", where),
        credentials=_credentials(user, cluster, where),
        impersonate=_impersonation(user),
        proxy_url=cluster.get("proxy-url") or "",
        compress_lists=not cluster.get("disable-compression", False),
        source=where,
    )


def _parse(text: str, path: Path) -> JsonObject:
    try:
        document = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark is not None else ""
        # The parser's own text may quote the file, which holds credentials.
        raise ConfigError(f"reading kubeconfig {path}: it is no valid YAML{line}: fix the file") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"reading kubeconfig {path}: it is no kubeconfig (a {type(document).__name__})")
    for section, inner in _SECTIONS:
        entries = document.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(e, dict) and e.get("name") for e in entries):
            raise ConfigError(f"reading kubeconfig {path}: {section} must be a list of entries with a name")
        for entry in entries:
            body = entry.get(inner)
            for key in _PATH_FIELDS.get(section, ()):
                if isinstance(body, dict) and body.get(key):
                    body[key] = str(path.parent.absolute() / Path(body[key]).expanduser())
            command = body.get("exec", {}).get("command") if isinstance(body, dict) and body.get("exec") else None
            # A command with a slash is relative to the file; a bare name is looked up in PATH.
            if isinstance(command, str) and "/" in command:
                body["exec"]["command"] = str(path.parent.absolute() / Path(command).expanduser())
    return document


def _named(document: JsonObject, section: str, inner: str, source: str) -> dict[str, JsonObject]:
    found: dict[str, JsonObject] = {}
    for entry in document.get(section) or ():
        body = entry.get(inner) or {}
        if not isinstance(body, dict):
            raise ConfigError(f"reading {source}: {inner} {entry.get('name')!r} must be an object")
        found.setdefault(str(entry.get("name")), body)
    return found


def _pem(section: JsonObject, key: str, where: str) -> Pem | None:
    data = section.get(f"{key}-data")
    if data:
        try:
            return Pem(data=base64.b64decode("".join(str(data).split()), validate=True))
        except (binascii.Error, ValueError):
            raise ConfigError(f"reading {where}: {key}-data is no valid base64: fix it") from None
    path = section.get(key)
    return Pem(path=str(path)) if path else None


def _credentials(user: JsonObject, cluster: JsonObject, where: str) -> Credentials:
    if user.get("exec"):
        return ExecCredentials(ExecSpec.from_kubeconfig(user["exec"], cluster, where))
    # kubectl prefers the file over the inline token when both are there.
    if user.get("tokenFile"):
        return FileToken(str(user["tokenFile"]))
    if user.get("token"):
        return StaticToken(str(user["token"]))
    if user.get("username") or user.get("password"):
        return BasicAuth(str(user.get("username") or ""), str(user.get("password") or ""))
    provider = user.get("auth-provider")
    if provider:
        name = provider.get("name")
        if name == "oidc":
            return OidcCredentials.from_kubeconfig(provider.get("config") or {}, where)
        plugin = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}.get(name)
        hint = f"use the exec plugin {plugin}" if plugin else "use an exec plugin"
        raise ConfigError(f"reading {where}: auth-provider {name!r} is not supported any more: {hint}")
    return Anonymous()


def _impersonation(user: JsonObject) -> Impersonation | None:
    if not user.get("as"):
        return None
    extra = user.get("as-user-extra") or {}
    return Impersonation(
        user=str(user["as"]),
        groups=tuple(user.get("as-groups") or ()),
        uid=str(user.get("as-uid") or ""),
        extra=tuple((str(key), tuple(values)) for key, values in sorted(extra.items())),
    )
