"""Finding and reading the configuration."""

from __future__ import annotations

import base64
import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from eso_core.aio import SystemClock
from eso_core.client import config as config_module
from eso_core.client import config_from_kubeconfig, in_cluster_config, load_config
from eso_core.client.credentials import Anonymous, BasicAuth, FileToken, StaticToken
from eso_core.client.execplugin import ExecCredentials
from eso_core.client.kubeconfig import merge
from eso_core.client.oidc import OidcCredentials
from eso_core.client.proxies import proxy_for
from eso_core.meta.errors import ConfigError

PEM = "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"


def kubeconfig(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> dict[str, Any]:
    """A kubeconfig with one context."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api.example:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def write(path: Path, document: Any) -> Path:
    """Writes YAML."""
    path.write_text(yaml.safe_dump(document))
    return path


async def test_a_context_becomes_a_configuration(tmp_path: Path) -> None:
    """Server, namespace, CA, TLS name, proxy and impersonation are read; relative paths are the file's."""
    document = kubeconfig(
        {
            "client-certificate": "crt.pem",
            "client-key-data": base64.b64encode(b"KEY").decode(),
            "token": "t",
            "as": "jane",
            "as-groups": ["g"],
            "as-uid": "1",
            "as-user-extra": {"k": ["v"]},
        },
        {
            "certificate-authority-data": base64.b64encode(PEM.encode()).decode(),
            "tls-server-name": "kubernetes",
            "proxy-url": "http://proxy:3128",
        },
    )
    config = await load_config(str(write(tmp_path / "config", document)), environ={})
    assert config.server == "https://api.example:6443"
    assert config.namespace == "team"
    assert config.ca is not None
    assert config.ca.data == PEM.encode()
    assert config.tls_server_name == "kubernetes"
    assert config.proxy_url == "http://proxy:3128"
    assert config.client_cert is not None
    assert config.client_cert.path == str(tmp_path / "crt.pem")
    assert config.client_key is not None
    assert config.client_key.data == b"KEY"
    assert config.impersonate is not None
    assert (config.impersonate.user, config.impersonate.groups) == ("jane", ("g",))
    assert config.impersonate.extra == (("k", ("v",)),)
    assert config.compress_lists


def test_a_repr_shows_no_credentials() -> None:
    """G-09: tokens and keys stay out of reprs."""
    document = kubeconfig({"token": "hunter2", "client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"})
    config = config_from_kubeconfig(document)
    text = repr(config) + repr(config.credentials) + repr(config.client_key)
    assert "hunter2" not in text
    assert "a2V5" not in text
    assert "b'key'" not in text


async def test_kubeconfig_lists_are_merged_first_definition_wins(tmp_path: Path) -> None:
    """1.2: missing files of KUBECONFIG are skipped, and later files only add."""
    first = kubeconfig({"token": "one"})
    second = copy.deepcopy(first)
    second["current-context"] = "other"
    second["users"][0]["user"] = {"token": "two"}
    second["clusters"].append({"name": "d", "cluster": {"server": "http://d"}})
    second["contexts"].append({"name": "other", "context": {"cluster": "d"}})
    paths = [tmp_path / "absent", write(tmp_path / "a", first), write(tmp_path / "b", second)]
    environ = {"KUBECONFIG": os.pathsep.join(str(p) for p in paths), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    config = await load_config(environ=environ)
    assert config.server == "https://api.example:6443"
    other = await load_config(context="other", environ=environ)
    assert other.server == "http://d"
    assert isinstance(other.credentials, Anonymous)
    assert merge([first, second])["users"][0]["user"] == {"token": "one"}


async def test_the_order_is_argument_environment_pod_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.2: KUBECONFIG keeps in-cluster from being tried."""
    sa = tmp_path / "sa"
    sa.mkdir()
    (sa / "token").write_text("t")
    (sa / "namespace").write_text("pod-ns\n")
    monkeypatch.setattr(config_module, "SERVICE_ACCOUNT_DIR", str(sa))
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    write(home / ".kube" / "config", kubeconfig(cluster={"server": "https://home"}))
    pod = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(home)}
    monkeypatch.setattr(config_module, "in_cluster_config", lambda env: in_cluster_config(env, directory=str(sa)))
    found = await load_config(environ=pod)
    assert found.server == "https://[fd00::1]:443"
    assert found.namespace == "pod-ns"
    assert isinstance(found.credentials, FileToken)
    assert not found.compress_lists
    assert (await load_config(environ={"HOME": str(home)})).server == "https://home"
    env_file = write(tmp_path / "env", kubeconfig(cluster={"server": "https://env"}))
    assert (await load_config(environ=pod | {"KUBECONFIG": str(env_file)})).server == "https://env"
    argument = write(tmp_path / "arg", kubeconfig(cluster={"server": "https://arg"}))
    assert (await load_config(str(argument), environ=pod | {"KUBECONFIG": str(env_file)})).server == "https://arg"
    with pytest.raises(ConfigError, match="in a pod there is no kubeconfig"):
        await load_config(context="x", environ=pod)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("current-context"), r"no current-context is set: pass --context \(there are: main\)"),
        (lambda d: d.update({"current-context": "x"}), "context 'x' does not exist: choose one of: main"),
        (lambda d: d.update(clusters=[]), "names cluster 'c', which does not exist"),
        (lambda d: d["clusters"][0]["cluster"].pop("server"), "which has no server"),
        (lambda d: d.update(users=[]), "names user 'u', which does not exist"),
        (lambda d: d["clusters"][0]["cluster"].update(server="api:6443"), "is no http or https URL"),
        (
            lambda d: d["clusters"][0]["cluster"].update({"certificate-authority-data": "!"}),
            "certificate-authority-data is no valid base64",
        ),
        (lambda d: d["users"][0]["user"].update({"client-key-data": "a2V5"}), "a client certificate needs its key"),
        (lambda d: d["users"][0]["user"].update({"auth-provider": {"name": "gcp"}}), "gke-gcloud-auth-plugin"),
        (lambda d: d["users"][0]["user"].update({"auth-provider": {"name": "azure"}}), "kubelogin"),
        (lambda d: d["users"][0]["user"].update({"auth-provider": {"name": "oidc"}}), "has no idp-issuer-url"),
        (
            lambda d: d["users"][0]["user"].update({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1"}}),
            "is not supported: use client.authentication.k8s.io/v1",
        ),
        (
            lambda d: d["users"][0]["user"].update({"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}),
            r"exec\.command is missing",
        ),
        (
            lambda d: d["users"][0]["user"].update(
                {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "x"}}
            ),
            r"exec\.interactiveMode must be one of Never, IfAvailable, Always",
        ),
    ],
)
def test_a_bad_kubeconfig_says_what_to_fix(change: Any, message: str) -> None:
    """Each mistake has its message."""
    document = kubeconfig()
    change(document)
    with pytest.raises(ConfigError, match=message):
        config_from_kubeconfig(document)


async def test_unreadable_files_say_so(tmp_path: Path) -> None:
    """A missing file, broken YAML, something that is no kubeconfig, and nothing at all."""
    with pytest.raises(ConfigError, match="the file does not exist: check the path"):
        await load_config(str(tmp_path / "nope"))
    broken = tmp_path / "broken"
    broken.write_text("users:\n- token: hunter2\n  x: [")
    with pytest.raises(ConfigError, match="no valid YAML at line 4") as info:
        await load_config(str(broken))
    assert "hunter2" not in str(info.value)
    with pytest.raises(ConfigError, match="it is no kubeconfig"):
        await load_config(str(write(tmp_path / "list", [1])))
    with pytest.raises(ConfigError, match="clusters must be a list of entries with a name"):
        await load_config(str(write(tmp_path / "odd", {"clusters": [{}]})))
    with pytest.raises(ConfigError, match="none of the files exists"):
        await load_config(environ={"KUBECONFIG": str(tmp_path / "nope")})
    with pytest.raises(ConfigError, match="looking for a cluster: no kubeconfig given.*pass --kubeconfig"):
        await load_config(environ={"HOME": str(tmp_path)})


def test_in_cluster_needs_its_environment_and_token(tmp_path: Path) -> None:
    """C-20: what is missing is named."""
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"):
        in_cluster_config({})
    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(ConfigError, match="set automountServiceAccountToken"):
        in_cluster_config(env, directory=str(tmp_path))


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ({"token": "t"}, StaticToken),
        ({"token": "t", "tokenFile": "/t"}, FileToken),
        ({"username": "u", "password": "p"}, BasicAuth),
        (
            {"auth-provider": {"name": "oidc", "config": {"idp-issuer-url": "https://i", "client-id": "c"}}},
            OidcCredentials,
        ),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "x"}, "token": "t"},
            ExecCredentials,
        ),
        ({}, Anonymous),
    ],
)
def test_users_become_credentials(user: dict[str, Any], kind: type) -> None:
    """C-21: which kind of credentials a user has."""
    assert isinstance(config_from_kubeconfig(kubeconfig(user)).credentials, kind)


async def test_a_token_with_a_newline_is_refused() -> None:
    """A header cannot be smuggled in."""
    with pytest.raises(ConfigError, match="cannot stand in a header") as info:
        config_from_kubeconfig(kubeconfig({"token": "a\nX-Evil: 1"}))
    assert "Evil" not in str(info.value)
    assert SystemClock().now().tzinfo is not None


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://api.example:6443", {"https_proxy": "p:1"}, "http://p:1"),
        ("http://api.example", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("http://api.example", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("https://localhost:1", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://127.0.0.1:1", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://[::1]:1", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://api.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
        ("https://api.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example"}, ""),
        ("https://example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, "http://p:1"),
        ("https://api.example", {"HTTPS_PROXY": "http://p:1", "no_proxy": "x, .example"}, ""),
        ("https://notexample", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example"}, "http://p:1"),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.example:6443"}, ""),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.example:443"}, "http://p:1"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://11.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8,11.1.2.4"}, "http://p:1"),
        ("https://[fd00::1]:1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[fd00::1]:1"}, ""),
    ],
)
def test_the_environment_picks_the_proxy(server: str, environ: dict[str, str], expected: str) -> None:
    """C-05: both cases, CIDR, suffix and port of NO_PROXY, no proxy for this machine."""
    assert proxy_for(server, "", environ) == expected


def test_the_configured_proxy_wins_and_socks_is_refused() -> None:
    """C-05: proxy-url beats the environment; an unsupported scheme is named."""
    assert proxy_for("https://localhost", "http://q:2", {"NO_PROXY": "*"}) == "http://q:2"
    with pytest.raises(ConfigError, match="scheme 'socks5' is not supported"):
        proxy_for("https://x", "socks5://q:2", {})
