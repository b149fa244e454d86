"""`python -m eso_core.model`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from eso_core.model.__main__ import main


def test_the_definition_of_a_class_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class of the current folder, as YAML that can be applied."""
    (tmp_path / "gadgets_for_a_test.py").write_text(
        "from eso_core.model import Model, Resource\n"
        "class Spec(Model):\n    size: int\n"
        "class Gadget(Resource, group='test.io', version='v1'):\n    spec: Spec\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["gadgets_for_a_test:Gadget"]) == 0
    definition = yaml.safe_load(capsys.readouterr().out)
    assert definition["metadata"]["name"] == "gadgets.test.io"
    assert "" not in sys.path


def test_several_kinds_are_documents_and_several_versions_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A module has more than one kind sooner or later."""
    (tmp_path / "more_gadgets_for_a_test.py").write_text(
        "from eso_core.model import Model, Resource\n"
        "class Spec(Model):\n    size: int\n"
        "class Gadget(Resource, group='test.io', version='v1'):\n    spec: Spec\n"
        "class OldGadget(Resource, group='test.io', version='v1beta1', kind='Gadget'):\n    spec: Spec\n"
        "class Widget(Resource, group='test.io', version='v1'):\n    spec: Spec\n"
    )
    monkeypatch.chdir(tmp_path)
    module = "more_gadgets_for_a_test"
    assert main([f"{module}:Gadget", f"{module}:Widget", f"{module}:OldGadget"]) == 0
    first, second = yaml.safe_load_all(capsys.readouterr().out)
    assert [version["name"] for version in first["spec"]["versions"]] == ["v1", "v1beta1"]
    assert second["metadata"]["name"] == "widgets.test.io"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gadgets", "write MODULE:CLASS"),
        ("no_such_module_here:X", "No module named"),
        ("json:dumps", "is no Resource"),
        ("json:Nothing", "has no attribute"),
    ],
)
def test_what_is_no_class_is_told_in_one_line(name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, no traceback."""
    assert main([name]) == 1
    assert told in capsys.readouterr().err
