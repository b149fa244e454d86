"""Fixtures with an API server; load them with ``pytest_plugins = ["eso_core.testing.pytest_plugin"]``.

==================  ========  =====================================================================================
``api_server``      session   one server in a thread for all tests, with the definitions that ``api_server_crds`` gives
``api_namespace``   function  the name of a new namespace on it, deleted after the test
``api_kubeconfig``  session   path of a kubeconfig of its administrator
``fresh_server``    function  a server of the test's own, started from the state of ``api_server`` at its beginning
==================  ========  =====================================================================================

Override ``api_server_crds`` (session) to return CustomResourceDefinition manifests, as dicts, and
``api_server_options`` (session) to return other `ApiServerOptions`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.storage.statefile import Snapshot

JsonObject = dict[str, Any]

_NUMBERS: Final = itertools.count(1)


@pytest.fixture(scope="session")
def api_server_crds() -> list[JsonObject]:
    """The definitions to install; none by default."""
    return []


@pytest.fixture(scope="session")
def api_server_options() -> ApiServerOptions:
    """How the servers run."""
    return ApiServerOptions()


@pytest.fixture(scope="session")
def api_server_snapshot(api_server_crds: list[JsonObject], api_server_options: ApiServerOptions) -> Snapshot:
    """The state that all servers begin with."""
    with BackgroundServer(api_server_options) as server:
        for manifest in api_server_crds:
            server.install(manifest)
        return server.snapshot()


@pytest.fixture(scope="session")
def api_server(api_server_snapshot: Snapshot, api_server_options: ApiServerOptions) -> Iterator[BackgroundServer]:
    """The server that all tests share."""
    with BackgroundServer(replace(api_server_options, snapshot=api_server_snapshot)) as server:
        yield server


@pytest.fixture(scope="session")
def api_kubeconfig(api_server: BackgroundServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the shared server's administrator."""
    path = tmp_path_factory.mktemp("api-server") / "kubeconfig"
    api_server.write_kubeconfig(path)
    return path


@pytest.fixture
def api_namespace(api_server: BackgroundServer) -> Iterator[str]:
    """A namespace for one test."""
    name = f"test-{next(_NUMBERS)}"
    api_server.call(lambda server: _create_namespace(server, name))
    yield name
    api_server.call(lambda server: _delete_namespace(server, name))


def _create_namespace(server: ApiServer, name: str) -> None:
    server.create("v1", "Namespace", {"metadata": {"name": name}})


def _delete_namespace(server: ApiServer, name: str) -> None:
    server.delete("v1", "Namespace", name)


@pytest.fixture
def fresh_server(api_server_snapshot: Snapshot, api_server_options: ApiServerOptions) -> Iterator[BackgroundServer]:
    """A server that no other test has touched."""
    with BackgroundServer(replace(api_server_options, snapshot=api_server_snapshot)) as server:
        yield server
