"""What External Secrets Operator 2.9 left behind, and what this operator leaves behind.

`scenarios/` are played on an API server in memory with the operator in the same process, all at once; `expected/` is what
the original left on a real cluster. `ours/` replaces a recording where we differ on purpose; docs/differences.md says why.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from controllers.api import all_crds
from controllers.operator import Operator, OperatorOptions
from eso_core.aio import TaskScope
from eso_core.client import Client, config_from_kubeconfig
from eso_core.log import configure_logging
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from tests.conformance.player import Player, differences
from tests.integration.openbao import BaoServer, openbao

__all__ = ["openbao"]

HERE = Path(__file__).parent
JsonObject = dict[str, Any]

#: Scenarios that need another set-up.
PENDING = {
    "manifest-disabled": "generic targets are on here; tests/integration/externalsecret/test_generic.py has it",
}
SCENARIOS = {}
for path in sorted((HERE / "scenarios").glob("*.yaml")):
    for scenario in yaml.safe_load_all(path.read_text()):
        if scenario:
            SCENARIOS[scenario["name"]] = scenario
PLAYED = [
    pytest.param(name, marks=pytest.mark.skip(reason=PENDING[name])) if name in PENDING else name for name in SCENARIOS
]
SIDE_BY_SIDE = 12


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def results(openbao: BaoServer) -> AsyncIterator[dict[str, JsonObject | Exception]]:
    """What every scenario left behind."""
    configure_logging(level="error", format="json")
    played: dict[str, JsonObject | Exception] = {}
    gate = asyncio.Semaphore(SIDE_BY_SIDE)
    async with await ApiServer.start(ApiServerOptions()) as server:
        kubeconfig = server.kubeconfig()
        cluster = kubeconfig["clusters"][0]["cluster"]
        places = {
            "$VAULT": openbao.url,
            "$APISERVER": cluster["server"],
            "$CABUNDLE": cluster["certificate-authority-data"],
        }
        for manifest in all_crds():
            server.install(manifest)
        config = config_from_kubeconfig(kubeconfig)
        stop = asyncio.Event()

        async def play(client: Client, name: str) -> None:
            async with gate:
                try:
                    played[name] = await Player(server, client, SCENARIOS[name], places).play()
                except Exception as error:
                    played[name] = error

        async with Client(config, user_agent="conformance") as client, TaskScope("operator") as scope:
            operator = Operator(config, OperatorOptions(allow_generic_targets=True))
            scope.spawn(operator.run(stop), name="operator")
            async with TaskScope("scenarios") as scenarios:
                for name in SCENARIOS:
                    if name not in PENDING:
                        scenarios.spawn(play(client, name), name=name)
            stop.set()
    yield played


@pytest.mark.timeout(300)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.skipif(shutil.which("bao") is None and not Path(".venv/bin/bao").exists(), reason="needs OpenBao")
@pytest.mark.parametrize("name", PLAYED)
async def test_the_cluster_looks_as_the_original_left_it(name: str, results: dict[str, JsonObject | Exception]) -> None:
    """Objects, statuses, reasons and messages of every snapshot are those of the recording."""
    result = results[name]
    if isinstance(result, Exception):
        raise result
    recorded = HERE / "ours" / f"{name}.json"
    if not recorded.exists():
        recorded = HERE / "expected" / f"{name}.json"
    wanted = json.loads(recorded.read_text())
    for refusal in wanted["refused"]:
        refusal.pop("message", None)
    assert differences(wanted, result) == []
