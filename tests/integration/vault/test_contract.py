"""The Vault backend keeps the contract of all backends, on a real OpenBao."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from providers.testing import Backend, ProviderContract
from providers.vault import VaultProvider
from tests.integration.openbao import BaoServer


class TestVault(ProviderContract):
    """KV version 2, with a token. It keeps documents."""

    @pytest.fixture
    async def backend(self, openbao: BaoServer) -> AsyncIterator[Backend]:
        prefix = uuid.uuid4().hex

        async def put(key: str, value: bytes) -> None:
            async with aiohttp.ClientSession(openbao.url, headers={"X-Vault-Token": "root"}) as session:
                async with session.post(f"/v1/secret/data/{key}", json={"data": json.loads(value)}) as answer:
                    assert answer.status == 200

        def spec(server: str = openbao.url, secret: str = "login") -> dict[str, object]:
            token = {"tokenSecretRef": {"name": secret, "key": "token"}}
            return {"server": server, "path": "secret", "version": "v2", "auth": token}

        yield Backend(
            VaultProvider(),
            spec(),
            put,
            secrets={"login": {"token": b"root"}, "wrong": {"token": b"hvs.no-token-of-this-server"}},
            denied=spec(secret="wrong"),
            unreachable=spec(server="http://127.0.0.1:9"),
            key=lambda word: f"{prefix}/{word}",
            documents=True,
        )
