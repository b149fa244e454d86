"""Log lines that people alert on, and what no line may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eso_core.log import configure_logging
from tests.integration.operator.harness import ES, running


def lines(file: Path, message: str) -> list[dict[str, Any]]:
    """The log lines with this message."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in found if line["msg"] == message]


async def test_the_life_of_a_secret_in_the_log(tmp_path: Path) -> None:
    """Changed keys by name at debug level, results at info level when they change, deletions with their reason."""
    file = tmp_path / "log"
    async with running() as cluster:
        configure_logging(level="debug", format="json", file=file, sample=False)
        await cluster.fake({"k": "hunter2", "m": '{"x": "1", "gone": "1"}'})
        data = [{"secretKey": "a", "remoteRef": {"key": "k"}}]
        await cluster.es("app", target={"deletionPolicy": "Delete"}, data=data, dataFrom=[{"extract": {"key": "m"}}])
        await cluster.synced("app")
        await cluster.set_fake({"k": "hunter3", "m": '{"x": "", "new": "1"}'})
        await cluster.poke("app")
        await cluster.synced("app")
        await cluster.set_fake({"other": "1"})
        await cluster.poke("app", "2")
        await cluster.synced("app", reason="SecretDeleted")
        await cluster.set_fake({"k": "hunter4", "m": "{}"})
        await cluster.patch(ES, "app", {"spec": {"target": {"name": "one"}}})
        await cluster.has_data("one", {"a": "hunter4"})
        await cluster.patch(ES, "app", {"spec": {"target": {"name": "two"}}})
        await cluster.has_data("two", {"a": "hunter4"})
        await cluster.delete(ES, "app")
        await cluster.has_data("two", None)
        await cluster.quiet()
    configure_logging(level="error", format="json")  # closes the file
    created, changed, *_ = lines(file, "secret data keys changed")
    assert (created["secret"], created["added"]) == ("app", ["a", "gone", "x"])
    assert changed["updated"] == ["a"] and changed["removed"] == ["gone"]
    assert changed["added"] == ["new"] and changed["emptied"] == ["x"]
    results = [line["reason"] for line in lines(file, "reconciled secret")]
    assert results == ["SecretSynced", "SecretSynced"], "once at first, and once after the deletion"
    deletions = lines(file, "deleted secret")
    assert {line["level"] for line in deletions} == {"debug", "info"}
    assert (
        deletions[0]["secret"] == "app"
        and deletions[0]["namespace"] == "t"
        and "DeletionPolicy" in deletions[0]["reason"]
    )
    (orphaned,) = lines(file, "deleted orphaned secret")
    assert (orphaned["secret"], orphaned["reason"]) == ("one", "target changed")
    (managed,) = lines(file, "deleted managed secret")
    assert managed["secret"] == "two"
    text = file.read_text()
    assert "hunter" not in text and "aHVudGVy" not in text, "neither values nor their base64 are logged"
