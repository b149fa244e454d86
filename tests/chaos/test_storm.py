"""The storm, in short: the whole form is ``python -m tests.chaos.storm --minutes 10``."""

from __future__ import annotations

import json

from tests.chaos.storm import FAULTS, storm


async def test_after_a_storm_everything_is_as_computed() -> None:
    """P-75 in seconds: edits, restarts, 410s, half-open connections, a failing backend: nothing lost, nothing foreign touched.

    The hour, with a limit on memory: ``python -m tests.chaos.storm --minutes 60 --longest 30``.
    """
    report = await storm(objects=60, seconds=6.0, seed=7, refresh="3s", longest=0.7, patience=30.0)
    assert report.wrong == []
    assert set(FAULTS) <= set(report.struck)
    assert report.reads > 60
    assert json.loads(json.dumps(report.shown()))["struck"] == dict(report.struck)
