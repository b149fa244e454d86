"""What reaches the log, and how it looks."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from eso_core.log import configure_logging, get_logger, log_context, set_level
from eso_core.log.processors import stamp
from eso_core.log.sampling import Sampler


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    """Leaves the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines go."""
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_worlds_share_one_chain(stream: io.StringIO) -> None:
    """M-60: structlog and standard loggers give the same kind of line, with the context's keys."""
    configure_logging(format="json", stream=stream)
    with log_context(controller="es", namespace="n"):
        get_logger("ours").info("synced %s", "now", keys=2)
        logging.getLogger("theirs").warning("hello %s", "you", extra={"port": 1})
    structlog.get_logger("third").error("plain")
    first, second, third = lines(stream)
    assert list(first)[:4] == ["level", "ts", "logger", "msg"]
    assert {k: v for k, v in first.items() if k != "ts"} == {
        "level": "info",
        "logger": "ours",
        "msg": "synced now",
        "keys": 2,
        "controller": "es",
        "namespace": "n",
    }
    assert (second["level"], second["logger"], second["msg"], second["port"]) == ("warn", "theirs", "hello you", 1)
    assert second["controller"] == "es"
    assert (third["level"], third["logger"]) == ("error", "third")
    assert "controller" not in third
    datetime.strptime(first["ts"], "%Y-%m-%dT%H:%M:%S.%fZ")


def test_exceptions_give_their_chain_and_a_stack(stream: io.StringIO) -> None:
    """M-62: error is one line of causes, stack is the traceback."""
    configure_logging(format="json", stream=stream)
    try:
        try:
            raise ValueError("inner")
        except ValueError as exc:
            raise RuntimeError("outer") from exc
    except RuntimeError as exc:
        get_logger("x").error("Reconciler error", exc_info=exc)
        logging.getLogger("y").exception("again")
        get_logger("z").info("told", error=exc)
    first, second, third = lines(stream)
    assert first["error"] == second["error"] == third["error"] == "outer: inner"
    assert "RuntimeError: outer" in first["stack"]
    assert "stack" not in third


def test_secret_values_do_not_reach_the_log(stream: io.StringIO) -> None:
    """G-09: credentials by key, data of Secrets, and bytes are replaced by their size."""
    configure_logging(format="json", stream=stream)
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "hunter2"}, "stringData": {"p": "hunter2"}}
    get_logger("x").info(
        "m",
        password="hunter2",
        apiKey="hunter2",
        raw=b"hunter2",
        obj=secret,
        nested=[{"token": "hunter2"}],
        secret="ns/name",
    )
    assert "hunter2" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["password"] == "<7 bytes>"
    assert line["raw"] == "<7 bytes>"
    assert line["obj"]["data"] == {"k": "<7 bytes>"}
    assert line["obj"]["metadata"] == {"name": "s"}
    assert line["nested"] == [{"token": "<7 bytes>"}]
    assert line["secret"] == "ns/name"


def test_levels_change_at_run_time(stream: io.StringIO) -> None:
    """M-60: for all loggers or for one."""
    configure_logging("warn", format="json", stream=stream)
    log, other = get_logger("a.b"), get_logger("c")
    log.info("no")
    set_level("debug", "a")
    log.debug("yes")
    other.info("no")
    set_level("info")
    other.info("now")
    assert [line["msg"] for line in lines(stream)] == ["yes", "now"]
    logging.getLogger("a").setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("", "2026-01-02T03:04:05.678Z"),
        ("iso8601", "2026-01-02T03:04:05.678Z"),
        ("rfc3339", "2026-01-02T03:04:05Z"),
        ("rfc3339nano", "2026-01-02T03:04:05.6789Z"),
        ("epoch", 1767323045.6789),
        ("millis", 1767323045678.9),
        ("nano", 1767323045678900000),
    ],
)
def test_time_encodings(encoding: str, expected: object) -> None:
    """The values of --zap-time-encoding."""
    event: dict[str, Any] = {}
    stamp(encoding, lambda: datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC))(None, "info", event)
    assert event["ts"] == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_bad_options_are_refused() -> None:
    """G-08: the message lists what there is."""
    with pytest.raises(ValueError, match="use debug, info, warn, error, dpanic, panic or fatal"):
        configure_logging("loud")
    with pytest.raises(ValueError, match="use one of epoch, millis"):
        configure_logging(time_encoding="sundial")
    with pytest.raises(ValueError, match="use auto, json or console"):
        configure_logging(format="xml")  # type: ignore[arg-type]


def test_a_file_takes_json_and_a_terminal_takes_text(tmp_path: Path, stream: io.StringIO) -> None:
    """The second call replaces the first."""
    configure_logging(format="console", stream=stream)
    get_logger("x").info("hello", a=1)
    assert "hello" in stream.getvalue()
    assert "a" in stream.getvalue()
    path = tmp_path / "logs" / "eso.log"
    configure_logging(file=path)
    get_logger("x").info("to the file")
    assert json.loads(path.read_text())["msg"] == "to the file"
    assert "to the file" not in stream.getvalue()


def test_repeating_messages_are_thinned_out() -> None:
    """M-63: 100 per 10 s and message, then one of 100; another controller counts apart."""
    now = 0.0
    sampler = Sampler(monotonic=lambda: now)

    def passes(controller: str) -> bool:
        record = logging.LogRecord("x", logging.ERROR, "", 0, {"event": "boo", "controller": controller}, (), None)
        return bool(sampler.filter(record))

    assert sum(passes("a") for _ in range(350)) == 102
    assert passes("b")
    now = 10.0
    assert sum(passes("a") for _ in range(150)) == 100
