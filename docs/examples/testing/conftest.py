"""The definition that the tests need, and an API server for all of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest_plugins = ["eso_core.testing.pytest_plugin"]


@pytest.fixture(scope="session")
def apiserver_crds() -> list[dict[str, Any]]:
    return [yaml.safe_load((Path(__file__).parent / "widgets.yaml").read_text())]
