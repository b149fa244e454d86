"""Installed beside the operator: the definitions have its fields, and a whole sync runs."""

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import yaml
from server import TOKEN, ShelfServer

MANIFESTS = """
apiVersion: v1
kind: Secret
metadata: {name: shelf-login, namespace: default}
stringData: {token: %(token)s}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: shelf, namespace: default}
spec:
  provider:
    shelf: {url: "%(url)s", auth: {name: shelf-login}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: web, namespace: default}
spec:
  secretStoreRef: {name: shelf}
  data:
  - secretKey: password
    remoteRef: {key: database, property: password}
"""
ESO = [sys.executable, "-m", "controllers.cli.main"]


def test_the_definitions_have_its_fields() -> None:
    """`eso crds`: SecretStore and ClusterSecretStore know spec.provider.shelf."""
    printed = subprocess.run([*ESO, "crds"], check=True, capture_output=True, text=True).stdout
    stores = [crd for crd in yaml.safe_load_all(printed) if crd["spec"]["names"]["kind"].endswith("SecretStore")]
    assert len(stores) == 2
    for crd in stores:
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        fields = schema["properties"]["spec"]["properties"]["provider"]["properties"]["shelf"]["properties"]
        assert set(fields) == {"url", "auth"}


async def test_eso_dev_syncs_from_it(tmp_path: Path) -> None:
    """`eso dev` with the manifests of a user: kubectl explains the field, the Secret holds the value."""
    async with ShelfServer() as server:
        await server.put("database", json.dumps({"password": "from-the-shelf"}).encode())
        manifests = tmp_path / "all.yaml"
        manifests.write_text(MANIFESTS % {"url": server.url, "token": TOKEN})
        log = (tmp_path / "log").open("w")
        dev = await asyncio.create_subprocess_exec(
            *ESO, "dev", "-f", str(manifests), cwd=tmp_path, stdout=log, stderr=log
        )
        try:
            kubectl = ["kubectl", "--kubeconfig", str(tmp_path / ".eso-dev" / "kubeconfig")]
            for _ in range(300):
                found = await run(*kubectl, "get", "secret", "web", "-o", "jsonpath={.data.password}")
                if found:
                    break
                await asyncio.sleep(0.1)
            assert base64.b64decode(found) == b"from-the-shelf", (tmp_path / "log").read_text()
            assert "The token." in await run(*kubectl, "explain", "secretstore.spec.provider.shelf")
        finally:
            dev.terminate()
            await dev.wait()
            log.close()


async def run(*command: str) -> str:
    """What a command prints on standard output."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    return out.decode()
