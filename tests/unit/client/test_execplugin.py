"""Credential plugins and OIDC tokens."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from eso_core.aio import SystemClock
from eso_core.client import Client, ClientConfig, load_config
from eso_core.client.execplugin import ExecCredentials, ExecSpec
from eso_core.client.oidc import OidcCredentials, OidcSettings
from eso_core.client.writeback import KubeconfigTokens
from eso_core.meta.errors import ConfigError
from eso_core.meta.time import format_time
from eso_core.testing.clock import FakeClock

V1 = "client.authentication.k8s.io/v1"


def plugin(tmp_path: Path, status: dict[str, Any], *, code: int = 0, version: str = V1, raw: str = "") -> ExecSpec:
    """A program that prints a credential, counts its runs and keeps what it was told."""
    answer = raw or json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    (tmp_path / "answer").write_text(answer)
    script = tmp_path / "plugin"
    script.write_text(
        "#!/bin/sh\n"
        f'cd "{tmp_path}"\necho run >> runs\nprintf %s "$KUBERNETES_EXEC_INFO" > info\n'
        f'echo "note $1 $EXTRA" >&2\ncat answer\nexit {code}\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    section = {
        "apiVersion": V1,
        "command": str(script),
        "args": ["arg"],
        "env": [{"name": "EXTRA", "value": "e"}],
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": True,
    }
    cluster = {
        "server": "https://api",
        "certificate-authority-data": "Q0E=",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}],
    }
    return ExecSpec.from_kubeconfig(section, cluster, "test")


def runs(tmp_path: Path) -> int:
    """How often the program ran."""
    return len((tmp_path / "runs").read_text().splitlines())


async def test_a_token_is_kept_until_it_expires(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """C-22: one run for many callers, the next one 10 s before the end; the program learns about the cluster."""
    caplog.set_level("INFO")
    clock = FakeClock()
    expires = format_time(clock.now() + timedelta(seconds=100))
    credentials = ExecCredentials(plugin(tmp_path, {"token": "t", "expirationTimestamp": expires}))
    found = await asyncio.gather(*(credentials.get(clock) for _ in range(5)))
    assert {c.headers["Authorization"] for c in found} == {"Bearer t"}
    assert runs(tmp_path) == 1
    await clock.advance(89)
    await credentials.get(clock)
    assert runs(tmp_path) == 1
    await clock.advance(1)
    await credentials.get(clock)
    assert runs(tmp_path) == 2
    info = json.loads((tmp_path / "info").read_text())
    assert info == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {"server": "https://api", "certificate-authority-data": "Q0E=", "config": {"audience": "x"}},
        },
    }
    assert "credential plugin plugin: note arg e" in caplog.text
    assert "Bearer" not in caplog.text


async def test_a_401_forces_one_run(tmp_path: Path) -> None:
    """C-22: a refresh runs the program only when the rejected credential is still the current one."""
    credentials = ExecCredentials(plugin(tmp_path, {"token": "t"}))
    clock = SystemClock()
    first = await credentials.get(clock)
    assert await credentials.refresh(clock, first)
    assert runs(tmp_path) == 2
    assert await credentials.refresh(clock, first)
    assert runs(tmp_path) == 2


async def test_a_certificate_is_accepted(tmp_path: Path) -> None:
    """C-22: certificate and key instead of a token."""
    credentials = ExecCredentials(plugin(tmp_path, {"clientCertificateData": "C", "clientKeyData": "K"}))
    found = await credentials.get(SystemClock())
    assert found.headers == {}
    assert found.certificate is not None
    assert (found.certificate.cert.data, found.certificate.key.data) == (b"C", b"K")
    assert "b'K'" not in repr(found)


@pytest.mark.parametrize(
    ("status", "options", "message"),
    [
        ({}, {}, "neither a token nor a certificate"),
        ({"clientCertificateData": "C"}, {}, "a certificate without key"),
        ({"token": "t", "expirationTimestamp": "soon"}, {}, "bad expirationTimestamp"),
        ({"token": "t"}, {"code": 3}, "it ended with code 3"),
        ({"token": "t"}, {"version": "client.authentication.k8s.io/v1beta1"}, "fix exec.apiVersion"),
        ({}, {"raw": "hunter2"}, "its output is no valid JSON"),
        ({}, {"raw": "{}"}, "its output is no ExecCredential"),
    ],
)
async def test_bad_answers_are_explained(
    tmp_path: Path, status: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    """The message names the program, and never what it printed."""
    with pytest.raises(ConfigError, match=message) as info:
        await ExecCredentials(plugin(tmp_path, status, **options)).get(SystemClock())
    assert "hunter2" not in str(info.value)


async def test_a_missing_program_gives_its_install_hint() -> None:
    """C-22: installHint is part of the message."""
    credentials = ExecCredentials(ExecSpec(command="/does/not/exist", install_hint="brew install it"))
    with pytest.raises(ConfigError, match="the program was not found: brew install it"):
        await credentials.get(SystemClock())


async def test_a_program_that_needs_a_terminal_is_not_run_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """C-22: interactiveMode Always."""
    monkeypatch.setattr("sys.stdin", None)
    credentials = ExecCredentials(ExecSpec(command="x", interactive_mode="Always"))
    with pytest.raises(ConfigError, match="it needs a terminal"):
        await credentials.get(SystemClock())


async def test_a_hanging_program_is_ended(tmp_path: Path) -> None:
    """C-22: 60 s limit; the process is killed."""
    script = tmp_path / "hang"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o700)
    clock = FakeClock()
    credentials = ExecCredentials(ExecSpec(command=str(script), interactive_mode="Never"))
    waiting = asyncio.ensure_future(credentials.get(clock))
    async with asyncio.timeout(20):
        while clock.next_timer() is None:  # noqa: ASYNC110  # the start of a process is real time
            await asyncio.sleep(0.001)
    await clock.advance(60)
    with pytest.raises(ConfigError, match="no answer after 60 s"):
        await waiting


async def test_runs_are_counted(tmp_path: Path) -> None:
    """7.3: calls by exit code and outcome, and the time left."""
    registry = CollectorRegistry()
    clock = FakeClock()
    expires = format_time(clock.now() + timedelta(seconds=100))
    credentials = ExecCredentials(plugin(tmp_path, {"token": "t", "expirationTimestamp": expires}))
    async with Client(ClientConfig(server="http://x", credentials=credentials), clock=clock, metrics=registry):
        await credentials.get(clock)
    labels = {"code": "0", "call_status": "no_error"}
    assert registry.get_sample_value("rest_client_exec_plugin_call_total", labels) == 1
    assert registry.get_sample_value("rest_client_exec_plugin_ttl_seconds") == 100


async def test_rotated_certificates_leave_their_age(tmp_path: Path) -> None:
    """7.3: how long a certificate was in use when another one replaces it."""
    registry = CollectorRegistry()
    clock = FakeClock()
    spec = plugin(tmp_path, {"clientCertificateData": "C1", "clientKeyData": "K"})
    credentials = ExecCredentials(spec)
    async with Client(
        ClientConfig(server="http://x", credentials=credentials), clock=clock, metrics=registry
    ) as client:
        assert client.metrics is not None
        first = await credentials.get(clock)
        await clock.advance(1000)
        plugin(tmp_path, {"clientCertificateData": "C2", "clientKeyData": "K"})
        await credentials.refresh(clock, first)
    assert registry.get_sample_value("rest_client_exec_plugin_certificate_rotation_age_sum") == 1000
    assert registry.get_sample_value("rest_client_exec_plugin_certificate_rotation_age_count") == 1


def jwt(expires: datetime) -> str:
    """An unsigned token."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(expires.timestamp())}).encode()).decode().rstrip("=")
    return f"e30.{claims}.sig"


async def test_an_oidc_token_is_renewed_before_it_ends(server) -> None:
    """C-21: the refresh token buys a new ID token, and a rotated refresh token is used next."""
    clock = FakeClock()
    first, second = jwt(clock.now() + timedelta(seconds=60)), jwt(clock.now() + timedelta(hours=1))
    server.reply({"token_endpoint": f"{server.url}/token"})
    server.reply({"id_token": second, "refresh_token": "r2"})
    server.reply({"token_endpoint": f"{server.url}/token"})
    server.reply({"error": "invalid_grant"}, 400)
    credentials = OidcCredentials(
        OidcSettings(issuer_url=server.url, client_id="c", client_secret="s", id_token=first, refresh_token="r1")
    )
    assert (await credentials.get(clock)).headers["Authorization"] == f"Bearer {first}"
    assert server.seen == []
    await clock.advance(51)
    renewed = await credentials.get(clock)
    assert renewed.headers["Authorization"] == f"Bearer {second}"
    assert server.seen[1].body == b"grant_type=refresh_token&refresh_token=r1&client_id=c"
    with pytest.raises(ConfigError, match="answered 400 without an id_token: log in again"):
        await credentials.refresh(clock, renewed)
    assert b"refresh_token=r2" in server.seen[3].body


@pytest.mark.parametrize("asked", [True, False])
async def test_renewed_oidc_tokens_are_written_back_only_if_asked(server: Any, tmp_path: Path, asked: bool) -> None:
    """C-21: into the file that defines the user, in one step, with its mode and everything else in it."""
    clock = FakeClock()
    soon, later = jwt(clock.now() + timedelta(seconds=5)), jwt(clock.now() + timedelta(hours=1))
    server.reply({"token_endpoint": f"{server.url}/token"})
    server.reply({"id_token": later, "refresh_token": "r2"})
    provider = {"idp-issuer-url": server.url, "client-id": "c", "id-token": soon, "refresh-token": "r1"}
    users = [{"name": "u", "user": {"auth-provider": {"name": "oidc", "config": provider}}}]
    contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
    clusters = [{"name": "c", "cluster": {"server": "https://api"}}]
    first = tmp_path / "first"
    first.write_text(yaml.safe_dump({"current-context": "x", "contexts": contexts, "clusters": clusters}))
    second = tmp_path / "second"
    second.write_text(yaml.safe_dump({"users": users, "preferences": {"colors": True}}))
    second.chmod(0o600)
    config = await load_config(f"{first}:{second}", write_back=asked)
    before = second.read_text()
    await config.credentials.get(clock)
    if not asked:
        assert second.read_text() == before
        return
    written = yaml.safe_load(second.read_text())
    kept = written["users"][0]["user"]["auth-provider"]["config"]
    assert kept == {**provider, "id-token": later, "refresh-token": "r2"}
    assert written["preferences"] == {"colors": True}
    assert second.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]


async def test_tokens_that_cannot_be_written_back_are_used_all_the_same(
    server: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is gone from the file: one warning, without the token, and nothing changed."""
    clock = FakeClock()
    soon, later = jwt(clock.now() + timedelta(seconds=5)), jwt(clock.now() + timedelta(hours=1))
    server.reply({"token_endpoint": f"{server.url}/token"})
    server.reply({"id_token": later})
    path = tmp_path / "config"
    path.write_text("users: []")
    credentials = OidcCredentials(OidcSettings(issuer_url=server.url, client_id="c", id_token=soon, refresh_token="r1"))
    credentials.write_back = KubeconfigTokens(path, "u")
    assert (await credentials.get(clock)).headers["Authorization"] == f"Bearer {later}"
    assert path.read_text() == "users: []"
    assert "user 'u' has no auth-provider there any more" in caplog.text
    assert later not in caplog.text


async def test_an_expired_oidc_token_without_refresh_token_says_log_in() -> None:
    """C-21: nothing to renew with."""
    expired = jwt(datetime(2020, 1, 1, tzinfo=UTC))
    credentials = OidcCredentials(OidcSettings(issuer_url="https://i", client_id="c", id_token=expired))
    with pytest.raises(ConfigError, match="it expired and there is no refresh-token: log in again"):
        await credentials.get(FakeClock())
    assert not await credentials.refresh(FakeClock(), await _anything())


async def _anything() -> Any:
    from eso_core.client.credentials import Credential

    return Credential()
