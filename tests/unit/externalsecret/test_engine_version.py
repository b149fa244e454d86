"""`template.engineVersion`."""

from __future__ import annotations

import pytest

from controllers.externalsecret.templates import check_engine
from controllers.templating.stage import StageFailed


def test_b031_an_absent_engine_version_means_v2_and_v1_is_refused() -> None:
    """B031: objects that an old definition stored have none."""
    check_engine({"data": {"x": "1"}})
    check_engine({"engineVersion": "v2"})
    with pytest.raises(StageFailed, match="unsupported template engine version: v1"):
        check_engine({"engineVersion": "v1"})
