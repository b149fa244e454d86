"""Resources read and write objects without losing anything, and say how the API serves them."""

import re
from dataclasses import dataclass
from typing import Literal

import orjson
import pytest
from pydantic import BaseModel, Field, SecretStr

from eso_core.meta import GVK, GVR, ObjectKey
from eso_core.meta.errors import DecodeError
from eso_core.model import Model, PrinterColumn, Resource, crd_for


class WebsiteSpec(Model):
    host: str
    replicas: int | None = None
    port: int | str | None = None
    mode: Literal["fast", "slow"] | None = None
    paths: list[str] | None = None
    weight: float | None = None


class Website(
    Resource,
    group="example.io",
    version="v1",
    short_names=("ws",),
    categories=("web",),
    status_subresource=True,
    printer_columns=(
        PrinterColumn("Host", ".spec.host"),
        PrinterColumn("Replicas", ".spec.replicas", type="integer", priority=1),
    ),
    selectable_fields=(".spec.host",),
):
    """A page on the web.

    With more about it.
    """

    spec: WebsiteSpec


class WebsiteV1Alpha1(
    Resource, group="example.io", version="v1alpha1", kind="Website", deprecated=True, deprecation_warning="use v1"
):
    spec: WebsiteSpec


class Region(Resource, group="example.io", version="v1", plural="regions", scope="Cluster"):
    pass


OBJECT = {
    "apiVersion": "example.io/v1",
    "kind": "Website",
    "metadata": {
        "name": "a",
        "namespace": "n",
        "labels": {"x": "y"},
        "selfLink": "/old",
        "managedFields": [{"manager": "m"}],
    },
    "spec": {"host": "h", "replicas": None, "future": {"deep": [1, 2]}},
    "status": {"anything": 9007199254740993},
}


def test_the_class_keywords_say_how_the_api_serves_it() -> None:
    """Names default to what Kubernetes conventions make of the class name."""
    assert Website.gvk == GVK("example.io", "v1", "Website")
    assert Website.gvr == GVR("example.io", "v1", "websites")
    assert (Website.namespaced, Region.namespaced) == (True, False)


@pytest.mark.parametrize("raw", [OBJECT, orjson.dumps(OBJECT)])
def test_reading_and_writing_back_changes_nothing(raw: bytes | dict[str, object]) -> None:
    """Unknown fields, null and absent, big integers: all stay."""
    assert Website.decode(raw).encode() == OBJECT


def test_a_changed_field_is_written_and_the_rest_stays() -> None:
    """Attributes are Python's names, the wire has Kubernetes' names."""
    site = Website.decode(OBJECT)
    site.spec.replicas = 2
    site.metadata.annotations = {"a": "b"}
    encoded = site.encode()
    assert encoded["spec"] == {"host": "h", "replicas": 2, "future": {"deep": [1, 2]}}
    assert encoded["metadata"]["annotations"] == {"a": "b"}


def test_keys_leave_out_the_namespace_of_cluster_scoped_kinds() -> None:
    """A namespace in such an object means nothing."""
    assert Website.decode(OBJECT).key == ObjectKey("n", "a")
    assert Region.decode({"metadata": {"name": "r", "namespace": "x"}}).key == ObjectKey("", "r")


def test_a_new_object_has_api_version_and_kind() -> None:
    """Nobody must write them."""
    site = Website(metadata={"name": "a"}, spec={"host": "h"})  # type: ignore[arg-type]
    assert site.encode() == {
        "apiVersion": "example.io/v1",
        "kind": "Website",
        "metadata": {"name": "a"},
        "spec": {"host": "h"},
    }


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (
            {"metadata": {"name": "a", "namespace": "n"}, "spec": {"host": {"password": "hunter2"}}},
            "reading Website n/a: spec.host: must be a string, not an object",
        ),
        (
            {"metadata": {"name": "a"}, "spec": {"replicas": "hunter2"}},
            "reading Website a: spec.host: is required; spec.replicas: must be an integer, not a string",
        ),
        (
            {"metadata": {"name": "a"}, "spec": {"host": "h", "port": ["hunter2"], "mode": "hunter2"}},
            "reading Website a: spec.port: must be an integer or a string, not a list; spec.mode: must be 'fast' or 'slow'",
        ),
        (
            {"metadata": {"name": "a"}, "spec": {"host": "h", "paths": ["/", None, {"x": "hunter2"}]}},
            "reading Website a: spec.paths[1]: must be a string, not null; spec.paths[2]: must be a string, not an object",
        ),
        (
            {"metadata": {"name": "a"}, "spec": {"host": "h", "weight": "hunter2"}},
            "spec.weight: must be a number, not a string",
        ),
        ({"spec": "hunter2"}, "reading a Website: spec: must be an object, not a string"),
        (b'{"spec": hunter2', "reading a Website: not valid JSON"),
        (["hunter2"], "reading a Website: must be an object, not a list"),
        (b"null", "reading a Website: must be an object, not null"),
    ],
)
def test_a_bad_object_is_named_with_its_fields_but_never_with_values(raw: object, told: str) -> None:
    """Values may be secret; not even the chain of causes has them."""
    with pytest.raises(DecodeError) as error:
        Website.decode(raw)  # type: ignore[arg-type]
    assert told in str(error.value)
    assert "hunter2" not in repr(error.value)
    assert (error.value.__cause__, error.value.__context__) == (None, None)


class Plain(BaseModel):
    host: str


class Hidden(Model):
    host: str = Field(exclude=True)


@dataclass
class Data:
    host: str


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (Plain, "Lossy.spec: Plain drops unknown fields"),
        (dict[str, list[Plain]] | None, "Lossy.spec: Plain drops unknown fields"),
        (Data, "Lossy.spec: Data drops unknown fields"),
        (Hidden, "Lossy.spec.host: the field is left out"),
        (SecretStr, "Lossy.spec: SecretStr is written as stars"),
    ],
)
def test_a_class_that_would_lose_fields_on_writing_is_refused(annotation: object, told: str) -> None:
    """C-31: an update never drops what another client wrote."""
    with pytest.raises(TypeError, match=re.escape(told)):

        class Lossy(Resource, group="example.io", version="v1"):
            __qualname__ = "Lossy"
            spec: annotation  # type: ignore[valid-type]


def test_parts_of_a_definition_are_not_shared() -> None:
    """Changing one definition changes no other, and YAML of it needs no aliases."""
    first, second = crd_for(Website), crd_for(Website)
    first["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["metadata"]["x"] = 1
    assert second["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["metadata"] == {"type": "object"}


def test_a_definition_has_all_versions_and_their_ways_of_serving() -> None:
    """Names and scope come from the kind, columns and subresources from each version."""
    crd = crd_for(Website, WebsiteV1Alpha1, labels={"l": "1"}, unserved=(WebsiteV1Alpha1,))
    assert crd["metadata"] == {"name": "websites.example.io", "labels": {"l": "1"}}
    spec = crd["spec"]
    assert spec["names"] == {
        "kind": "Website",
        "listKind": "WebsiteList",
        "plural": "websites",
        "singular": "website",
        "shortNames": ["ws"],
        "categories": ["web"],
    }
    assert (spec["group"], spec["scope"], spec["conversion"]) == ("example.io", "Namespaced", {"strategy": "None"})
    v1, alpha = spec["versions"]
    assert (v1["name"], v1["served"], v1["storage"], v1["subresources"]) == ("v1", True, True, {"status": {}})
    assert v1["additionalPrinterColumns"] == [
        {"name": "Host", "type": "string", "jsonPath": ".spec.host"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
    ]
    assert v1["schema"]["openAPIV3Schema"]["description"] == "A page on the web."
    assert "description" not in alpha["schema"]["openAPIV3Schema"]
    assert v1["selectableFields"] == [{"jsonPath": ".spec.host"}]
    assert v1["schema"]["openAPIV3Schema"]["properties"]["metadata"] == {"type": "object"}
    assert (alpha["served"], alpha["storage"], alpha["deprecated"], alpha["deprecationWarning"]) == (
        False,
        False,
        True,
        "use v1",
    )
    assert "subresources" not in alpha


def test_versions_of_different_kinds_make_no_definition() -> None:
    """A mistake of the author is an error at once."""
    with pytest.raises(ValueError, match="not versions of one kind"):
        crd_for(Website, Region)
    with pytest.raises(ValueError, match="not among the versions"):
        crd_for(Website, storage=WebsiteV1Alpha1)


def test_half_a_declaration_is_refused() -> None:
    """Group without version is a typo."""
    with pytest.raises(ValueError, match="needs both group and version"):

        class Half(Resource, group="example.io"):
            pass
