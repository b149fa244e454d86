"""What holds for every test: it leaves nothing behind, and it starts with logging as all others do."""

from __future__ import annotations

import logging

import pytest
import structlog

from eso_core.log import configure_logging
from eso_core.testing.leaks import leak_check

__all__ = ["leak_check"]


@pytest.fixture(autouse=True)
def same_logging() -> None:
    """Logging is configured, every level counts, and nothing is printed: whatever tests before this one have set.

    Loggers keep the chain of processors that they met first. With one chain from the first test on, `capture_logs` sees them all.
    """
    root = logging.getLogger()
    if structlog.is_configured() and root.level == logging.DEBUG:
        return
    configure_logging("debug", format="json")
    for handler in [h for h in root.handlers if h.get_name() == "eso_core"]:
        root.removeHandler(handler)
    logging.captureWarnings(False)
