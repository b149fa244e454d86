"""The fixtures as a project that uses them sees them: each test is a pytest run of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import eso_core.client  # imported once here, not in each of the runs
import eso_core.testing.apiserver.background  # noqa: F401

pytest_plugins = ["pytester"]

WIDGETS = """
kind: CustomResourceDefinition
apiVersion: apiextensions.k8s.io/v1
metadata: {name: widgets.example.io}
spec:
  group: example.io
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str, ini: str = "") -> pytest.RunResult:
    """Run the tests of a module."""
    pytester.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}")
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "error", *arguments)


def test_a_blocking_test_gets_a_server_and_a_namespace(pytester: pytest.Pytester) -> None:
    """Nothing but the fixtures and a client that blocks; the namespaces differ and are gone afterwards."""
    pytester.makefile(".yaml", widgets=WIDGETS)
    done = run(
        pytester,
        """
        import json, ssl, urllib.request
        import yaml

        USED = []

        def call(kubeconfig, method, path, body=None):
            config = yaml.safe_load(kubeconfig.read_text())
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            import base64
            ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
            request = urllib.request.Request(cluster["server"] + path, method=method, data=body and json.dumps(body).encode())
            request.add_header("Authorization", "Bearer " + user["token"])
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=ca)) as answer:
                return json.load(answer)

        def test_one(kubeconfig, kube_namespace, apiserver):
            place = f"/apis/example.io/v1/namespaces/{kube_namespace}/widgets"
            widget = {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "w"}}
            assert call(kubeconfig, "POST", place, widget)["metadata"]["generation"] == 1
            assert apiserver.get("example.io/v1", "Widget", "w", namespace=kube_namespace)["metadata"]["name"] == "w"
            assert [e.code for e in apiserver.requests(verb="create", resource="widgets")] == [201]
            USED.append(kube_namespace)

        def test_two(kubeconfig, kube_namespace, apiserver):
            apiserver.run_gc()
            found = {item["metadata"]["name"] for item in call(kubeconfig, "GET", "/api/v1/namespaces")["items"]}
            assert kube_namespace in found
            assert USED[0] not in found
        """,
        ini="apiserver_crds = widgets.yaml",
    )
    done.assert_outcomes(passed=2)


def test_plain_http_by_the_ini_file(pytester: pytest.Pytester) -> None:
    """``apiserver_tls = false``."""
    done = run(
        pytester,
        "def test(apiserver): assert apiserver.url.startswith('http://127.0.0.1:')",
        ini="apiserver_tls = false",
    )
    done.assert_outcomes(passed=1)


def test_a_fresh_server_has_options_and_definitions_of_its_own(pytester: pytest.Pytester) -> None:
    """The marker changes one test's server; what one test writes the next does not see."""
    done = run(
        pytester,
        f"""
        import pytest, yaml
        from eso_core.testing.clock import FakeClock

        CRD = yaml.safe_load({WIDGETS!r})
        CLOCKS = []

        @pytest.mark.apiserver(crds=[CRD], tls=False, clock=FakeClock, request_log=5)
        @pytest.mark.parametrize("number", [1, 2])
        def test_marked(fresh_apiserver, number):
            assert fresh_apiserver.url.startswith("http://")
            made = fresh_apiserver.create("example.io/v1", "Widget", {{"metadata": {{"name": "w"}}}}, namespace="default")
            assert made["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
            fresh_apiserver.advance(3600)
            made = fresh_apiserver.create("v1", "Secret", {{"metadata": {{"name": "s"}}}}, namespace="default")
            assert made["metadata"]["creationTimestamp"] == "2026-01-01T01:00:00Z"

        def test_plain(fresh_apiserver):
            assert fresh_apiserver.url.startswith("https://")
            assert fresh_apiserver.get("v1", "Secret", "s", namespace="default") is None
            with pytest.raises(LookupError, match="does not serve it"):
                fresh_apiserver.get("example.io/v1", "Widget", "w", namespace="default")
            with pytest.raises(RuntimeError, match="it runs on the system's: start it with"):
                fresh_apiserver.advance(1)
        """,
    )
    done.assert_outcomes(passed=3)


def test_asynchronous_tests_use_the_same_fixtures(pytester: pytest.Pytester) -> None:
    """The server has a loop of its own, so the test's loop is free; compaction ends old versions."""
    done = run(
        pytester,
        """
        import pytest
        from eso_core.client import Client, load_config
        from eso_core.meta.errors import Gone
        from eso_core.meta.wellknown import CONFIG_MAP

        @pytest.mark.asyncio
        async def test(kubeconfig, kube_namespace, apiserver):
            async with Client(await load_config(str(kubeconfig))) as client:
                body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": kube_namespace}}
                made = await client.create(body)
                await client.create({**body, "metadata": {**body["metadata"], "name": "d"}})
                apiserver.compact()
                with pytest.raises(Gone):
                    version = made["metadata"]["resourceVersion"]
                    await client.list(CONFIG_MAP, kube_namespace, resource_version=version, resource_version_match="Exact")
        """,
    )
    done.assert_outcomes(passed=1)


def test_fixtures_are_overridden_as_any(pytester: pytest.Pytester) -> None:
    """A project gives its definitions and options in its conftest."""
    pytester.makeconftest(
        f"""
        import pytest, yaml
        from eso_core.testing.apiserver.options import ApiServerOptions

        @pytest.fixture(scope="session")
        def apiserver_crds():
            return [yaml.safe_load({WIDGETS!r})]

        @pytest.fixture(scope="session")
        def apiserver_options():
            return ApiServerOptions(tls=False, token="known")
        """
    )
    done = run(
        pytester,
        """
        def test(apiserver, kubeconfig):
            assert apiserver.token == "known"
            assert "token: known" in kubeconfig.read_text()
            assert apiserver.get("example.io/v1", "Widget", "w", namespace="default") is None
        """,
    )
    done.assert_outcomes(passed=1)


def test_what_a_test_leaves_behind_is_named(pytester: pytest.Pytester) -> None:
    """A thread and a socket; the servers of the fixtures leave nothing."""
    done = run(
        pytester,
        """
        import socket, threading

        KEPT = []

        def test_clean(no_leaks, fresh_apiserver):
            fresh_apiserver.create("v1", "Namespace", {"metadata": {"name": "a"}})

        def test_thread(no_leaks):
            stop = threading.Event()
            thread = threading.Thread(target=stop.wait, name="forgotten", daemon=True)
            thread.start()
            KEPT.append(stop)

        def test_socket(no_leaks):
            KEPT.append(socket.socket())

        def teardown_module():
            KEPT[0].set()
            KEPT[1].close()
        """,
    )
    done.assert_outcomes(passed=3, errors=2)
    done.stdout.fnmatch_lines(["left behind: thread 'forgotten': close or join them", "left behind: file socket:*"])


def test_a_second_mention_of_the_plugin_is_harmless(pytester: pytest.Pytester) -> None:
    """Projects that load it by name, beside the installed entry point."""
    pytester.makeconftest('pytest_plugins = ["eso_core.testing.pytest_plugin"]')
    run(pytester, "def test(kube_namespace): assert kube_namespace").assert_outcomes(passed=1)


def test_a_run_without_the_fixtures_imports_no_server() -> None:
    """What an unrelated project pays: one small module, and what the package itself is made of."""
    program = "import sys, eso_core.testing.pytest_plugin; print([name for name in sys.modules if name.startswith('eso_core')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = ["eso_core", "eso_core.lazy", "eso_core.testing", "eso_core.testing.pytest_plugin", "eso_core.version"]
    assert sorted(eval(done.stdout)) == expected
