"""Kinds, keys, metadata, well-known resources."""

from __future__ import annotations

import pytest

from eso_core.meta import GVK, GVR, ObjectKey, ObjectMeta, Partial, decode_partial, gvk_of, wellknown
from eso_core.meta.errors import DecodeError
from eso_core.meta.object import decode_type


def test_kinds_know_their_api_version() -> None:
    """The core group is empty and leaves no slash."""
    assert GVK("", "v1", "Secret").api_version == "v1"
    assert GVK("apps", "v1", "Deployment").api_version == "apps/v1"
    assert GVK.parse("apps/v1", "Deployment") == GVK("apps", "v1", "Deployment")
    assert GVK.parse("v1", "Secret").group_kind == ("", "Secret")
    assert str(GVK("apps", "v1", "Deployment")) == "apps/v1/Deployment"
    assert GVR("", "v1", "secrets").path_prefix == "/api/v1"
    assert GVR("apps", "v1", "deployments").path_prefix == "/apis/apps/v1"
    assert str(GVR("apps", "v1", "deployments")) == "deployments.v1.apps"


@pytest.mark.parametrize("text", ["", "/v1", "a/b/c", "apps/"])
def test_a_malformed_api_version_is_refused(text: str) -> None:
    """One slash at most, and no empty part."""
    with pytest.raises(ValueError, match="it must look like v1 or group/version"):
        GVK.parse(text, "X")


def test_an_object_says_its_kind() -> None:
    """Missing fields are named."""
    assert gvk_of({"apiVersion": "v1", "kind": "Secret"}) == wellknown.SECRET
    with pytest.raises(ValueError, match="it has no apiVersion"):
        gvk_of({"kind": "Secret"})


def test_keys_read_and_print_themselves() -> None:
    """ns/name, or name when cluster-scoped."""
    assert str(ObjectKey("ns", "a")) == "ns/a"
    assert str(ObjectKey("", "a")) == "a"
    assert ObjectKey.parse("ns/a") == ("ns", "a")
    assert ObjectKey.parse("a") == ("", "a")
    assert ObjectKey.of({"metadata": {"name": "a", "namespace": None}}) == ("", "a")
    for bad in ("", "a/b/c", "/a", "a/"):
        with pytest.raises(ValueError, match="must look like namespace/name"):
            ObjectKey.parse(bad)


def test_metadata_is_decoded_alone() -> None:
    """Fields that are not read are skipped, null counts as absent."""
    body = (
        b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"3",'
        b'"generation":2,"labels":{"x":"y"},"finalizers":["f/g"],"managedFields":[{"a":1}],'
        b'"ownerReferences":[{"apiVersion":"v1","kind":"K","name":"o","uid":"i","controller":true}],'
        b'"deletionTimestamp":"2026-01-01T00:00:00Z"},"data":{"k":"dg=="}}'
    )
    found = decode_partial(body)
    assert found.gvk == wellknown.SECRET
    assert found.key == ("n", "a")
    assert (found.meta.uid, found.meta.resource_version, found.meta.generation) == ("u", "3", 2)
    assert found.meta.labels == {"x": "y"}
    assert found.meta.finalizers == ("f/g",)
    assert found.meta.deleting
    assert found.meta.controller is not None
    assert found.meta.controller.name == "o"
    nulls = decode_partial(b'{"metadata":{"name":"a","labels":null,"finalizers":null}}', GVK("x", "v1", "Y"))
    assert nulls.gvk.kind == "Y"
    assert nulls.meta.labels == {}
    assert nulls.meta.controller is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"metadata":null}', b'{"metadata":{"name":1}}'])
def test_what_has_no_metadata_is_a_decode_error(body: bytes) -> None:
    """Bad bytes never become an object with an empty name."""
    with pytest.raises(DecodeError):
        decode_partial(body)


def test_metadata_of_a_decoded_object() -> None:
    """The same from a dictionary; wrong types are named with the object."""
    assert ObjectMeta.of({"metadata": {"name": "a", "labels": None}}).labels == {}
    assert ObjectMeta.of({}).name == ""
    with pytest.raises(DecodeError, match="reading metadata of n/a"):
        ObjectMeta.of({"metadata": {"name": "a", "namespace": "n", "generation": "x"}})


def test_the_type_is_read_from_bytes() -> None:
    """Nothing else is decoded."""
    assert decode_type(b'{"kind":"Secret","apiVersion":"v1","data":{}}') == wellknown.SECRET
    with pytest.raises(DecodeError):
        decode_type(b"{}")


def test_well_known_kinds_have_consistent_resources() -> None:
    """Each constant leads to a resource of its own group and version."""
    for gvk, info in wellknown.RESOURCES.items():
        assert info.gvk == gvk
        assert info.singular == gvk.kind.lower()
    assert wellknown.info(wellknown.CRD) is not None
    assert not wellknown.RESOURCES[wellknown.CRD].namespaced
    assert wellknown.RESOURCES[wellknown.LEASE].namespaced
    assert wellknown.info(GVK("x", "v1", "Y")) is None
    assert Partial(wellknown.SECRET).gvk == wellknown.SECRET
