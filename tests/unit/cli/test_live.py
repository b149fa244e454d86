"""What a command without a kubeconfig says beside the state of `eso dev`."""

from __future__ import annotations

from pathlib import Path

import pytest

from controllers.cli.live import connected
from eso_core.meta.errors import ConfigError


async def test_the_kubeconfig_of_eso_dev_is_named_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder in which it runs, a newcomer forgets the flag; it is never taken by itself."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        async with connected(None, None, agent="test"):
            raise AssertionError("there is no cluster")
    assert "eso dev" not in str(caught.value)
    (tmp_path / ".eso-dev").mkdir()
    (tmp_path / ".eso-dev" / "kubeconfig").write_text("")
    with pytest.raises(ConfigError, match="that of eso dev is .eso-dev/kubeconfig"):
        async with connected(None, None, agent="test"):
            raise AssertionError("there is no cluster")
