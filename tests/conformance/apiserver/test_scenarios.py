"""Sequences of requests and kubectl commands get the answers that a kube-apiserver 1.36 gave to them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.storage.statefile import Snapshot
from tests.conformance.apiserver.player import Player

HERE = Path(__file__).parent
JsonObject = dict[str, Any]


def _scenarios() -> list[Any]:
    found = []
    for path in sorted((HERE / "scenarios").glob("*.yaml")):
        for text in re.split(r"(?m)^---\s*$", path.read_text()):
            scenario = yaml.load(text, yaml.CSafeLoader)
            if scenario:
                marks = (
                    [] if not _needs_kubectl(scenario) else [pytest.mark.skipif(not _kubectl(), reason="no kubectl")]
                )
                found.append(pytest.param(scenario, text, id=scenario["name"], marks=marks))
    return found


def _needs_kubectl(scenario: JsonObject) -> bool:
    return any("kubectl" in step for step in scenario["steps"])


def _kubectl() -> str:
    return shutil.which("kubectl") or ""


def _definitions() -> list[JsonObject]:
    documents = [doc for doc in yaml.load_all((HERE / "prelude.yaml").read_text(), yaml.CSafeLoader) if doc]
    product = next(doc["product"] for doc in documents if "product" in doc)
    found = [doc for doc in documents if "product" not in doc]
    for name in product:
        spec = yaml.load((HERE / "crds" / f"{name}.yaml").read_text(), yaml.CSafeLoader)
        for version in spec["versions"]:
            version["schema"] = {"openAPIV3Schema": version["schema"]}
        found.append({"metadata": {"name": f"{spec['names']['plural']}.{spec['group']}"}, "spec": spec})
    return found


@pytest.fixture(scope="module")
def installed() -> Snapshot:
    """The state of a server with the definitions that scenarios share."""

    async def make() -> Snapshot:
        async with await ApiServer.start(ApiServerOptions(tls=False)) as server:
            for definition in _definitions():
                server.install(definition)
            return server.snapshot()

    return asyncio.run(make())


@pytest.mark.parametrize(("scenario", "text"), _scenarios())
async def test_a_scenario_gets_the_recorded_answers(
    scenario: JsonObject, text: str, installed: Snapshot, tmp_path: Path
) -> None:
    """Each step's status, headers and body equal the recording, apart from what changes from run to run."""
    expected = json.loads((HERE / "expected" / f"{scenario['name']}.json").read_text())
    # kubectl sends its token over TLS only.
    options = ApiServerOptions(tls=_needs_kubectl(scenario), snapshot=installed)
    async with await ApiServer.start(options) as server:
        kubeconfig = tmp_path / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        folder = tmp_path / "work"
        folder.mkdir()
        player = Player(scenario, text, server.kubeconfig(), kubeconfig, folder, _kubectl())
        records = await player.play()
    assert len(records) == len(expected)
    for want, got in zip(expected, records, strict=True):
        assert got == {key: want[key] for key in want if key != "step"}, want["step"]
