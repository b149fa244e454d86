"""TLS: trusted authorities, client certificates, server names, files that change."""

from __future__ import annotations

import dataclasses
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from eso_core.client import Client, ClientConfig, RetryPolicy
from eso_core.client import tls as tls_module
from eso_core.client.credentials import Credential
from eso_core.client.tls import CertificatePair, Pem
from eso_core.meta.errors import ConfigError, TlsError
from eso_core.testing.clock import FakeClock


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs everything."""
    return trustme.CA()


@asynccontextmanager
async def https(authority: trustme.CA, *names: str, client_auth: bool = False) -> AsyncIterator[str]:
    """A server that answers with the subject of the client's certificate."""

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert") or {}
        subject = {name: value for part in peer.get("subject", ()) for name, value in part}
        return web.json_response({"kind": "X", "cn": subject.get("commonName", "")})

    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    if client_auth:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def ca_of(authority: trustme.CA) -> Pem:
    """Its certificate."""
    return Pem(data=authority.cert_pem.bytes())


def pair_of(authority: trustme.CA, name: str) -> tuple[bytes, bytes]:
    """A client certificate with a common name, and its key."""
    cert = authority.issue_cert(f"{name}@example.org", common_name=name)
    return cert.cert_chain_pems[0].bytes(), cert.private_key_pem.bytes()


async def test_a_trusted_server_is_talked_to(authority: trustme.CA) -> None:
    """C-06: CA by data."""
    async with https(authority, "127.0.0.1") as url, Client(ClientConfig(server=url, ca=ca_of(authority))) as client:
        assert (await client.server_version())["kind"] == "X"


@pytest.mark.parametrize(
    ("names", "own_ca", "message"),
    [
        (("127.0.0.1",), False, "signed by an unknown authority: check certificate-authority-data"),
        (("kubernetes",), True, "is for another name: .*set tls-server-name"),
    ],
)
async def test_an_untrusted_server_is_refused(
    authority: trustme.CA, names: tuple[str, ...], own_ca: bool, message: str
) -> None:
    """The message names the field of the kubeconfig; nothing is retried."""
    ca = authority if own_ca else trustme.CA()
    async with https(authority, *names) as url, Client(ClientConfig(server=url, ca=ca_of(ca))) as client:
        with pytest.raises(TlsError, match=message):
            await client.server_version()


async def test_the_server_name_can_be_set(authority: trustme.CA) -> None:
    """C-06: tls-server-name."""
    config = ClientConfig(server="https://x", ca=ca_of(authority), tls_server_name="kubernetes")
    async with https(authority, "kubernetes") as url:
        async with Client(dataclasses.replace(config, server=url)) as client:
            assert (await client.server_version())["kind"] == "X"


async def test_verification_can_be_skipped_and_is_said_once(
    authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    """C-06: insecure-skip-tls-verify works and warns."""
    async with https(authority, "other") as url:
        async with Client(ClientConfig(server=url, insecure_skip_tls_verify=True)) as client:
            await client.server_version()
            await client.server_version()
    assert [r.levelname for r in caplog.records if "is not verified" in r.getMessage()] == ["WARNING"]


async def test_an_http_server_behind_https_is_explained(server) -> None:
    """A wrong scheme is a common mistake."""
    url = server.url.replace("http://", "https://")
    async with Client(ClientConfig(server=url), retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(TlsError, match="the TLS handshake with .* failed: .*check that it is an https server"):
            await client.server_version()


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_client_certificate_from_data(
    authority: trustme.CA, in_memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """C-06: through anonymous memory, or a private directory that is gone afterwards."""
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
        monkeypatch.setattr(tls_module.tempfile, "tempdir", str(tmp_path))
    cert, key = pair_of(authority, "jane")
    async with https(authority, "127.0.0.1", client_auth=True) as url:
        config = ClientConfig(server=url, ca=ca_of(authority), client_cert=Pem(data=cert), client_key=Pem(data=key))
        async with Client(config) as client:
            assert (await client.server_version())["cn"] == "jane"
    assert os.listdir(tmp_path) == []


async def test_credentials_may_bring_the_certificate(authority: trustme.CA) -> None:
    """C-22: an exec plugin's certificate is used for the connection."""

    class Plugin:
        credential = Credential(certificate=CertificatePair(*(Pem(data=d) for d in pair_of(authority, "plugin"))))

        async def get(self, clock: object) -> Credential:
            return self.credential

        async def refresh(self, clock: object, rejected: Credential) -> bool:
            return False

    async with https(authority, "127.0.0.1", client_auth=True) as url:
        async with Client(ClientConfig(server=url, ca=ca_of(authority), credentials=Plugin())) as client:
            assert (await client.server_version())["cn"] == "plugin"


async def test_changed_files_are_used_for_new_connections(authority: trustme.CA, tmp_path: Path) -> None:
    """C-06: a rotated client certificate is picked up within ten seconds."""
    paths = tmp_path / "crt", tmp_path / "key"

    def write(name: str) -> None:
        for path, data in zip(paths, pair_of(authority, name), strict=True):
            path.write_bytes(data)

    write("one")
    clock = FakeClock()
    async with https(authority, "127.0.0.1", client_auth=True) as url:
        config = ClientConfig(
            server=url, ca=ca_of(authority), client_cert=Pem(path=str(paths[0])), client_key=Pem(path=str(paths[1]))
        )
        async with Client(config, clock=clock) as client:
            assert (await client.server_version())["cn"] == "one"
            write("two")
            assert (await client.server_version())["cn"] == "one"
            await clock.advance(10)
            assert (await client.server_version())["cn"] == "two"


@pytest.mark.parametrize(
    ("ca", "cert", "message"),
    [
        (Pem(path="/does/not/exist"), None, "reading the CA certificate /does/not/exist: No such file"),
        (Pem(data=b"nonsense"), None, "holds no usable PEM certificate"),
        (None, Pem(data=b"nonsense"), "certificate and key are no usable PEM or do not belong together"),
    ],
)
async def test_bad_pem_is_a_configuration_error(ca: Pem | None, cert: Pem | None, message: str) -> None:
    """What cannot be loaded is named, without its content."""
    config = ClientConfig(server="https://127.0.0.1:1", ca=ca, client_cert=cert, client_key=cert)
    async with Client(config, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ConfigError, match=message):
            await client.server_version()
