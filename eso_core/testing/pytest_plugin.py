"""pytest fixtures with a Kubernetes API server.

Found by pytest itself when the package is installed; ``pytest_plugins = ["eso_core.testing.pytest_plugin"]`` works too. A run
that uses none of the fixtures pays for the import of this module alone: the server is imported by the first fixture.

=======================  ========  ================================================================================
``apiserver``            session   one server in a thread for all tests (`BackgroundServer`)
``kubeconfig``           session   path of a kubeconfig of its administrator
``kube_namespace``       function  the name of a new namespace on it, deleted after the test
``fresh_apiserver``      function  a server that no other test has touched, started from a snapshot
``no_leaks``             function  fails the test when it leaves threads, sockets or files behind
``apiserver_crds``       session   override: the definitions to install; by default those of ``apiserver_crds`` in the ini file
``apiserver_options``    session   override: other `ApiServerOptions` for all servers
=======================  ========  ================================================================================

ini options: ``apiserver_crds``, files or folders with CustomResourceDefinition manifests, and ``apiserver_tls``, whether to
serve HTTPS (yes by default). ``@pytest.mark.apiserver(crds=[...], tls=False, clock=FakeClock, ...)`` gives one test's
``fresh_apiserver`` definitions and options of its own; a class is called first, so that each test has its own clock.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from eso_core.testing.apiserver.background import BackgroundServer
    from eso_core.testing.apiserver.options import ApiServerOptions
    from eso_core.testing.apiserver.storage.statefile import Snapshot

JsonObject = dict[str, Any]

_NUMBERS: Final = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the ini file."""
    parser.addini("apiserver_crds", "files or folders with definitions to install in the API server", "paths", [])
    parser.addini("apiserver_tls", "whether the API server serves HTTPS", "bool", True)


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", "apiserver(crds=..., **options): what fresh_apiserver is started with")


@pytest.fixture(scope="session")
def apiserver_crds(pytestconfig: pytest.Config) -> list[JsonObject]:
    """The definitions to install, decoded."""
    from eso_core.testing.manifests import definitions

    return definitions(pytestconfig.getini("apiserver_crds"))


@pytest.fixture(scope="session")
def apiserver_options(pytestconfig: pytest.Config) -> ApiServerOptions:
    """How the servers run."""
    from eso_core.testing.apiserver.options import ApiServerOptions

    return ApiServerOptions(tls=pytestconfig.getini("apiserver_tls"))


@pytest.fixture(scope="session")
def _apiserver_snapshot(apiserver_crds: list[JsonObject], apiserver_options: ApiServerOptions) -> Snapshot:
    """The state that all servers begin with: a start from it costs a tenth of one from nothing."""
    from eso_core.testing.apiserver.background import BackgroundServer

    with BackgroundServer(apiserver_options) as server:
        for manifest in apiserver_crds:
            server.install(manifest)
        return server.snapshot()


@pytest.fixture(scope="session")
def apiserver(_apiserver_snapshot: Snapshot, apiserver_options: ApiServerOptions) -> Iterator[BackgroundServer]:
    """The server that all tests share."""
    with _server(apiserver_options, snapshot=_apiserver_snapshot) as server:
        yield server


@pytest.fixture(scope="session")
def kubeconfig(apiserver: BackgroundServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the shared server's administrator."""
    path = tmp_path_factory.mktemp("apiserver") / "kubeconfig"
    apiserver.write_kubeconfig(path)
    return path


@pytest.fixture
def kube_namespace(apiserver: BackgroundServer) -> Iterator[str]:
    """A namespace for one test."""
    name = f"test-{next(_NUMBERS)}"
    apiserver.create("v1", "Namespace", {"metadata": {"name": name}})
    yield name
    apiserver.delete("v1", "Namespace", name)


@pytest.fixture
def fresh_apiserver(
    request: pytest.FixtureRequest, _apiserver_snapshot: Snapshot, apiserver_options: ApiServerOptions
) -> Iterator[BackgroundServer]:
    """A server of the test's own."""
    marker = request.node.get_closest_marker("apiserver")
    changes: JsonObject = dict(marker.kwargs) if marker is not None else {}
    crds = changes.pop("crds", ())
    options = {name: value() if isinstance(value, type) else value for name, value in changes.items()}
    with _server(apiserver_options, snapshot=_apiserver_snapshot, **options) as server:
        for manifest in crds:
            server.install(manifest)
        yield server


def _server(options: ApiServerOptions, **changes: Any) -> BackgroundServer:
    from dataclasses import replace

    from eso_core.testing.apiserver.background import BackgroundServer

    return BackgroundServer(replace(options, **changes))


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails the test when a thread, a socket or a file outlives it; name it before the fixtures that are to be checked."""
    from eso_core.testing.leaks import leaks_since, open_files

    threads, files = frozenset(threading.enumerate()), open_files()
    yield
    left = leaks_since(threads, files, within=1.0)
    if left:
        pytest.fail(f"left behind: {', '.join(left)}: close or join them", pytrace=False)
