"""The levels of test servers, one by one: a client in memory, the in-process API server, and real binaries where there are some."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from eso_core.client import Client, load_config
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.envtest import EnvTest, EnvTestOptions
from eso_core.testing.fakeclient import FakeClient
from tests.contract.kinds import CRDS

LEVELS = ["fake client", "in-process server", *(["real server"] if os.environ.get("KUBEBUILDER_ASSETS") else [])]


@pytest.fixture(params=LEVELS)
async def level(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an empty server that has the test kinds."""
    match request.param:
        case "fake client":
            async with FakeClient(kinds=CRDS) as fake:
                yield fake
        case "in-process server":
            async with await ApiServer.start(ApiServerOptions(tls=False)) as server:
                for crd in CRDS:
                    server.install(crd)
                kubeconfig = tmp_path / "kubeconfig"
                server.write_kubeconfig(kubeconfig)
                async with Client(await load_config(str(kubeconfig))) as client:
                    yield client
        case _:
            definitions = tmp_path / "crds.yaml"
            definitions.write_text(yaml.safe_dump_all(CRDS))
            async with await EnvTest.start(EnvTestOptions(crds=[definitions])) as environment:
                async with Client(environment.config) as client:
                    yield client
