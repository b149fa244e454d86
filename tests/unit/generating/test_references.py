"""From a reference to a generator."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.generating.references import GeneratorRef, Resolved, resolve
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import ApiError, NoKindMatch
from generators.errors import GeneratorFailed, InvalidGenerator
from generators.registry import GeneratorRegistry
from providers.errors import ErrorKind

API = "generators.external-secrets.io/v1alpha1"
REGISTRY = GeneratorRegistry(plugins=())


def refused(status: int, reason: str) -> ApiError:
    body = b'{"kind":"Status","reason":"%s","message":"the server says %s"}' % (reason.encode(), reason.encode())
    return ApiError.from_response("GET", "/x", status, body, {})


class Objects:
    """Generators by kind, namespace and name."""

    def __init__(self, *objects: JsonObject, failure: Exception | None = None) -> None:
        self._objects = {
            (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in objects
        }
        self._failure = failure

    async def get(self, kind: GVK, key: ObjectKey) -> JsonObject:
        if self._failure is not None:
            raise self._failure
        found = self._objects.get((kind.kind, key.namespace, key.name))
        if found is None:
            raise refused(404, "NotFound")
        return found


def one(kind: str, name: str, spec: JsonObject, namespace: str = "t") -> JsonObject:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}


def cluster(kind: str, **members: Any) -> JsonObject:
    return one("ClusterGenerator", "c", {"kind": kind, "generator": members}, "")


async def found(ref: GeneratorRef, objects: Objects, namespace: str = "t") -> Resolved:
    return await resolve(ref, namespace, objects, REGISTRY)


async def test_a_generator_is_looked_up_in_the_namespace_of_who_asks() -> None:
    """The default of apiVersion is filled in."""
    objects = Objects(one("Fake", "f", {"data": {"k": "here"}}), one("Fake", "f", {"data": {"k": "there"}}, "other"))
    for version in (API, ""):
        resolved = await found(GeneratorRef(version, "Fake", "f"), objects)
        assert resolved.manifest["spec"] == {"data": {"k": "here"}} and resolved.name == "f"
    assert "here" not in repr(resolved)
    with pytest.raises(
        GeneratorFailed, match='unable to get generator: Fake.generators.external-secrets.io "f" not found'
    ) as caught:
        await found(GeneratorRef(API, "Fake", "f"), objects, "third")
    assert caught.value.retryable and caught.value.kind is ErrorKind.REFERENCE


@pytest.mark.parametrize(
    ("version", "kind", "words"),
    [
        ("a/b/c", "Fake", "generatorRef has invalid APIVersion: unexpected GroupVersion string: a/b/c"),
        ("external-secrets.io/v1", "Fake", "generatorRef may only reference the generators group, but got external-secrets.io"),
        ("v1", "Secret", "generatorRef may only reference the generators group, but got "),
        (
            "generators.external-secrets.io/v9",
            "Fake",
            "generatorRef references unknown GVK generators.external-secrets.io/v9, Kind=Fake",
        ),
    ],
)  # fmt: skip
async def test_a_reference_to_something_else_is_only_healed_by_an_edit(version: str, kind: str, words: str) -> None:
    """In the words of the original."""
    with pytest.raises(InvalidGenerator) as caught:
        await found(GeneratorRef(version, kind, "x"), Objects())
    assert str(caught.value) == f"unable to get generator: terminal error: {words}" and not caught.value.retryable


async def test_a_kind_that_the_cluster_does_not_have_is_told() -> None:
    """Its definition is not installed."""
    missing = NoKindMatch("no matches for kind")
    with pytest.raises(
        InvalidGenerator, match="references unknown GVK generators.external-secrets.io/v1alpha1, Kind=Gpu"
    ):
        await found(GeneratorRef(API, "Gpu", "x"), Objects(failure=missing))


async def test_what_cannot_be_read_now_is_tried_again() -> None:
    """Rights may be granted, a server may come back."""
    for failure, kind in ((refused(403, "Forbidden"), ErrorKind.REFERENCE), (refused(503, "ServiceUnavailable"), ErrorKind.UNAVAILABLE)):  # fmt: skip
        with pytest.raises(GeneratorFailed, match="unable to get generator: ") as caught:
            await found(GeneratorRef(API, "Fake", "f"), Objects(failure=failure))
        assert caught.value.retryable and caught.value.kind is kind


async def test_a_cluster_generator_stands_for_one_of_its_kind() -> None:
    """In every namespace; its object has no name, as in the states of the original; members of other kinds do not count."""
    objects = Objects(cluster("Password", passwordSpec={"length": 7}, fakeSpec={"data": {}}))
    for namespace in ("t", "other"):
        resolved = await found(GeneratorRef(API, "ClusterGenerator", "c"), objects, namespace)
        assert resolved.manifest == {"apiVersion": API, "kind": "Password", "metadata": {}, "spec": {"length": 7}}
        assert resolved.name == "c"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Password", "when kind is Password, PasswordSpec must be set"),
        ("SSHKey", "when kind is SSHKey, SSHKeySpec must be set"),
        ("MFA", "when kind is MFA, MFASpec must be set"),
        ("UUID", "when kind is UUID, UUIDSpec must be set"),
        ("VaultDynamicSecret", "when kind is VaultDynamicSecret, VaultDynamicSecretSpec must be set"),
        ("Gpu", "unknown kind Gpu: generator not found: this operator has no Gpu"),
    ],
)
async def test_a_cluster_generator_without_the_member_of_its_kind_cannot_work(kind: str, words: str) -> None:
    """The fields are spelled as the original spells them."""
    with pytest.raises(InvalidGenerator) as caught:
        await found(GeneratorRef(API, "ClusterGenerator", "c"), Objects(cluster(kind, fakeSpec={"data": {}})))
    assert str(caught.value).startswith(f"unable to get generator: terminal error: invalid ClusterGenerator: {words}")
    assert not caught.value.retryable


async def test_the_class_says_whose_a_generator_is() -> None:
    """Without one it is everybody's."""
    for controller, mine in ((None, True), ("", True), ("blue", True), ("red", False)):
        spec = {"data": {}, **({} if controller is None else {"controller": controller})}
        resolved = await found(GeneratorRef(API, "Fake", "f"), Objects(one("Fake", "f", spec)))
        assert resolved.belongs_to("blue") is mine


async def test_a_spec_that_cannot_be_read_is_told_with_its_field() -> None:
    """And without its value."""
    with pytest.raises(InvalidGenerator, match="unable to get generator: unable to parse spec: spec.data") as caught:
        await found(GeneratorRef(API, "Fake", "f"), Objects(one("Fake", "f", {"data": ["planted"]})))
    assert "planted" not in str(caught.value)
