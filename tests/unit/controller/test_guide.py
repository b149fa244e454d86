"""The guide's larger controller, run as it is on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from eso_core import ManagerOptions, ObjectKey
from eso_core.aio import TaskScope
from eso_core.client import MergePatch
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient

PAGE = Path(__file__).parents[3] / "docs" / "library" / "first-controller.md"
KEY = ObjectKey("n", "a")


def the_page() -> dict[str, Any]:
    """What the code on the page defines."""
    code = re.search(
        r"<!-- run by tests/unit/controller/test_guide.py -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    assert code
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code.group(1), str(PAGE), "exec", dont_inherit=True), names)
    return names


async def test_the_database_of_the_guide_does_what_the_guide_says() -> None:
    """Waits for its Secret, follows it, refuses a wrong engine once, and goes."""
    page = the_page()
    kind, clock = page["Database"], FakeClock()
    written = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"engine": "postgres", "secretName": "s"}}
    async with FakeClient(kind.model_validate(written), clock=clock) as client:
        options = ManagerOptions(metrics_addr="0", health_addr="0")
        manager = await page["operator"].manager(client, options, clock=clock)

        async def reason() -> str:
            await clock.advance(2)
            return str((await client.get(kind, KEY)).status.conditions[0]["reason"])

        def failures() -> Any:
            name = "controller_runtime_terminal_reconcile_errors_total"
            return manager.registry.get_sample_value(name, {"controller": "database"})

        async with TaskScope("manager") as scope:
            scope.spawn(manager.run(), name="manager")
            assert await reason() == "NoSecret"
            await client.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}})
            assert await reason() == "Configured"
            seen = (await client.get(CONFIG_MAP, KEY))["data"]["seen"]
            await client.patch(SECRET, ObjectKey("n", "s"), MergePatch({"data": {"p": "cA=="}}))
            await clock.advance(2)
            assert (await client.get(CONFIG_MAP, KEY))["data"]["seen"] != seen
            await client.patch(kind, KEY, MergePatch({"spec": {"engine": "oracle"}}))
            assert await reason() == "UnknownEngine"
            await clock.advance(3600)
            assert failures() == 1.0  # the edit; the status that it caused does not count
            await client.delete(kind, KEY)
            await clock.advance(2)
            assert [item.key for item in (await client.list(kind)).items] == []
            manager.stop()
            await clock.advance(60)
