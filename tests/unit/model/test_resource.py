"""Resources read and write objects without losing anything, and say how the API serves them."""

from __future__ import annotations

import orjson
import pytest

from eso_core.meta import GVK, GVR, ObjectKey
from eso_core.meta.errors import DecodeError
from eso_core.model import Model, PrinterColumn, Resource, crd_for


class WebsiteSpec(Model):
    host: str
    replicas: int | None = None


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
            "reading Website n/a: spec.host: Input should be a valid string",
        ),
        (
            {"metadata": {"name": "a"}, "spec": {"replicas": "hunter2"}},
            "reading Website a: spec.host: Field required; spec.replicas: Input should be a valid integer",
        ),
        (b'{"spec": hunter2', "reading a Website: not valid JSON"),
        ([], "reading Website: "),
    ],
)
def test_a_bad_object_is_named_with_its_fields_but_never_with_values(raw: object, told: str) -> None:
    """Values may be secret."""
    with pytest.raises(DecodeError) as error:
        Website.decode(raw)  # type: ignore[arg-type]
    assert told in str(error.value)
    assert "hunter2" not in f"{error.value!r}{error.value.__cause__!r}{error.value.__suppress_context__}"


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
