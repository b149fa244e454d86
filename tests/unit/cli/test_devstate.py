"""The state directory of `eso dev` is private, exclusive and never half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from controllers.cli.devstate import DevState, DevStateError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_and_its_files_are_private_and_ignored_by_git(tmp_path: Path) -> None:
    """0700 for the directory, 0600 for files, and `*` in .gitignore."""
    with DevState(tmp_path / "a" / "state") as state:
        state.write(state.kubeconfig, b"apiVersion: v1\n")
        assert mode(state.path) == 0o700
        assert {mode(p) for p in state.path.iterdir()} == {0o600}
        assert (state.path / ".gitignore").read_text() == "*\n"


def test_a_wider_directory_is_narrowed(tmp_path: Path) -> None:
    """A directory that somebody made with mode 0755 ends up 0700."""
    (tmp_path / "state").mkdir(mode=0o755)
    with DevState(tmp_path / "state") as state:
        assert mode(state.path) == 0o700


def test_a_second_instance_is_refused_with_the_process_that_holds_it(tmp_path: Path) -> None:
    """The message says who holds the directory and what to do."""
    with DevState(tmp_path / "state"):
        with pytest.raises(
            DevStateError,
            match=rf"in use by another eso dev \(process {os.getpid()}\): stop that one or give another --dir",
        ):
            DevState(tmp_path / "state").__enter__()
    with DevState(tmp_path / "state"):
        pass


def test_a_stale_kubeconfig_goes_at_start(tmp_path: Path) -> None:
    """Whoever waits for the kubeconfig gets the one of this run."""
    with DevState(tmp_path / "state") as state:
        state.write(state.kubeconfig, b"old")
    with DevState(tmp_path / "state") as state:
        assert not state.kubeconfig.exists()


def test_a_path_that_cannot_be_a_directory_is_one_clear_line(tmp_path: Path) -> None:
    """A file in the way is reported with the path and the flag to use."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DevStateError, match="cannot use .*file as state directory: .*--dir"):
        DevState(tmp_path / "file").__enter__()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stays whole when the new one cannot be put in place."""
    with DevState(tmp_path / "state") as state:
        state.write(state.kubeconfig, b"old")

        def refuse(source: object, target: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr("controllers.cli.devstate.os.replace", refuse)
        with pytest.raises(OSError, match="disk full"):
            state.write(state.kubeconfig, b"new")
        monkeypatch.undo()
        assert state.kubeconfig.read_bytes() == b"old"
        assert sorted(p.name for p in state.path.iterdir()) == [".gitignore", "eso.log", "kubeconfig", "lock"]
