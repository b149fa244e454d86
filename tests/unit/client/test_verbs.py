"""The verbs: what goes over the wire and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eso_core.client import (
    ApplyPatch,
    Client,
    ClientConfig,
    JsonPatch,
    MergePatch,
    Preconditions,
    RetryPolicy,
    StrategicMergePatch,
    merge_from,
)
from eso_core.meta import GVK, ObjectKey, Partial, wellknown
from eso_core.meta.errors import DecodeError, Gone, NotFound

SECRET = wellknown.SECRET
KEY = ObjectKey("ns", "a")
WIRE = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "ns", "resourceVersion": "7"}}


@pytest.fixture
async def client(server) -> AsyncIterator[Client]:  # type: ignore[no-untyped-def]
    """A client of the scripted server that does not retry."""
    async with Client(ClientConfig(server=server.url), retry=RetryPolicy(attempts=1)) as made:
        yield made


async def test_get_reads_one_object(server, client) -> None:
    """C-30, C-09: a GET of the object's path, under our own user agent, gives a dictionary with apiVersion and kind."""
    server.reply({"metadata": {"name": "a"}})
    found = await client.get(SECRET, KEY)
    assert found == {"metadata": {"name": "a"}, "kind": "Secret", "apiVersion": "v1"}
    assert (server.seen[0].method, server.seen[0].path) == ("GET", "/api/v1/namespaces/ns/secrets/a")
    assert server.seen[0].headers["Accept"] == "application/json"
    assert "Accept-Encoding" not in server.seen[0].headers
    assert server.seen[0].headers["User-Agent"].startswith("eso/0.1 (linux/")


async def test_partial_asks_for_metadata_and_strips_a_full_answer(server, client) -> None:
    """C-33: the Accept header asks for PartialObjectMetadata, and a full object is cut down."""
    server.reply(WIRE | {"data": {"k": "dg=="}})
    found = await client.get(Partial(SECRET), KEY)
    assert found.gvk == SECRET
    assert found.meta.resource_version == "7"
    assert found.key == KEY
    accept = server.seen[0].headers["Accept"]
    assert accept == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


async def test_list_fills_kinds_in(server, client) -> None:
    """C-32, C-07: items of built-in lists get the kind of the list; lists, and lists alone, may be compressed."""
    server.reply(
        {
            "kind": "SecretList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": "9", "continue": "tok", "remainingItemCount": 3},
            "items": [{"metadata": {"name": "a"}}],
        }
    )
    found = await client.list(SECRET, "ns", label_selector="a in (b)", limit=1)
    assert found.items == [{"metadata": {"name": "a"}, "apiVersion": "v1", "kind": "Secret"}]
    assert (found.resource_version, found.continue_, found.remaining) == ("9", "tok", 3)
    assert server.seen[0].query == {"labelSelector": "a in (b)", "limit": "1"}
    assert server.seen[0].headers["Accept-Encoding"] == "gzip"


async def test_a_table_is_no_list(server, client) -> None:
    """R-18: a Table answer is an error, not an empty list."""
    server.reply({"kind": "Table", "rows": []})
    with pytest.raises(DecodeError, match="answered with a Table"):
        await client.list(SECRET)


async def test_pages_follow_the_continue_token(server, client) -> None:
    """C-39: pages of 500 by default; the resource version goes with the first request only."""
    for token in ("t1", ""):
        server.reply({"kind": "SecretList", "metadata": {"continue": token}, "items": [{"metadata": {"name": token}}]})
    names = [i["metadata"]["name"] async for i in client.items(SECRET, resource_version="5")]
    assert names == ["t1", ""]
    assert [s.query for s in server.seen] == [
        {"limit": "500", "resourceVersion": "5"},
        {"limit": "500", "continue": "t1"},
    ]


async def test_an_expired_list_goes_on_only_when_asked(server, client) -> None:
    """C-39: 410 midway is raised, or continued with the server's token when inconsistency is accepted."""
    first = {"kind": "SecretList", "metadata": {"continue": "t1"}, "items": []}
    expired = {"kind": "Status", "metadata": {"continue": "t2"}, "reason": "Expired", "code": 410, "message": "old"}
    last = {"kind": "SecretList", "metadata": {}, "items": [{"metadata": {"name": "z"}}]}
    server.reply(first)
    server.reply(expired, 410)
    server.reply(first)
    server.reply(expired, 410)
    server.reply(last)
    with pytest.raises(Gone):
        [p async for p in client.pages(SECRET)]
    found = [i async for i in client.items(SECRET, allow_inconsistent=True)]
    assert [i["metadata"]["name"] for i in found] == ["z"]
    assert server.seen[-1].query["continue"] == "t2"


async def test_a_whole_list_is_read_again_when_it_expires(server, client) -> None:
    """C-39: 410 midway restarts as one list without limit."""
    first = {"kind": "SecretList", "metadata": {"continue": "t1", "resourceVersion": "1"}, "items": [{"metadata": {}}]}
    expired = {"kind": "Status", "reason": "Expired", "code": 410, "message": "old"}
    whole = {"kind": "SecretList", "metadata": {"resourceVersion": "2"}, "items": [{"metadata": {}}] * 3}
    server.reply(first)
    server.reply(expired, 410)
    server.reply(whole)
    found = await client.list_all(SECRET, "ns", label_selector="a=b")
    assert (len(found.items), found.resource_version) == (3, "2")
    assert [s.query for s in server.seen] == [
        {"labelSelector": "a=b", "limit": "500"},
        {"labelSelector": "a=b", "limit": "500", "continue": "t1"},
        {"labelSelector": "a=b"},
    ]
    server.answers.clear()
    server.reply(whole)
    assert (await client.list_all(SECRET)).resource_version == "2"


async def test_raw_lists_are_split_and_not_decoded(server, client) -> None:
    """The bytes of each item come out as they came in."""
    server.reply('{"kind":"SecretList","metadata":{"resourceVersion":"3"},"items":[{"a":1 }, {"b":9007199254740993}]}')
    pages = [p async for p in client.list_raw(SECRET, limit=0)]
    assert [bytes(i) for i in pages[0].items] == [b'{"a":1 }', b'{"b":9007199254740993}']
    assert pages[0].resource_version == "3"
    assert server.seen[0].query == {}


async def test_create_posts_to_the_collection(server, client) -> None:
    """Options become query parameters, and the answer replaces the object."""
    server.reply(WIRE, 201)
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "ns"}}
    made = await client.create(obj, field_manager="m", dry_run=True, field_validation="Strict")
    assert made == WIRE
    seen = server.seen[0]
    assert (seen.method, seen.path) == ("POST", "/api/v1/namespaces/ns/secrets")
    assert seen.query == {"fieldManager": "m", "fieldValidation": "Strict", "dryRun": "All"}
    assert seen.json == obj
    assert seen.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"name": "a", "namespace": "ns", "resourceVersion": "1"}, r"remove metadata\.resourceVersion"),
        ({"name": "a"}, r"set metadata\.namespace"),
    ],
)
async def test_create_refuses_what_the_server_would(server, client, metadata: dict[str, str], message: str) -> None:
    """C-40: a resource version or a missing namespace is said before anything is sent."""
    with pytest.raises(ValueError, match=message):
        await client.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    assert server.seen == []


async def test_an_object_without_kind_is_refused(client) -> None:
    """A dictionary must say what it is."""
    with pytest.raises(ValueError, match="it has no kind"):
        await client.create({"apiVersion": "v1", "metadata": {"name": "a"}})


async def test_update_puts_object_and_status(server, client) -> None:
    """PUT goes to the object, or to its status."""
    server.reply(WIRE)
    await client.update(WIRE)
    await client.update_status(WIRE, field_manager="x")
    assert [(s.method, s.path) for s in server.seen] == [
        ("PUT", "/api/v1/namespaces/ns/secrets/a"),
        ("PUT", "/api/v1/namespaces/ns/secrets/a/status"),
    ]
    assert server.seen[1].query == {"fieldManager": "x"}


@pytest.mark.parametrize(
    ("patch", "content_type", "body"),
    [
        (MergePatch({"data": None}), "application/merge-patch+json", {"data": None}),
        (
            JsonPatch([{"op": "remove", "path": "/data"}]),
            "application/json-patch+json",
            [{"op": "remove", "path": "/data"}],
        ),
        (StrategicMergePatch({"x": 1}), "application/strategic-merge-patch+json", {"x": 1}),
        (ApplyPatch(WIRE), "application/apply-patch+yaml", WIRE),
    ],
)
async def test_patches_have_their_content_types(server, client, patch, content_type: str, body: object) -> None:
    """1.4: four kinds of patches."""
    server.reply(WIRE)
    await client.patch(SECRET, KEY, patch, field_manager="m")
    assert server.seen[0].headers["Content-Type"] == content_type
    assert server.seen[0].json == body


async def test_patch_checks_what_makes_no_sense(client) -> None:
    """force is for apply, apply needs an owner, custom resources have no strategic merge."""
    with pytest.raises(ValueError, match="force is for apply patches only"):
        await client.patch(SECRET, KEY, MergePatch({"a": 1}), force=True)
    with pytest.raises(ValueError, match="say which field manager applies"):
        await client.patch(SECRET, KEY, ApplyPatch(WIRE))


async def test_an_empty_merge_patch_sends_nothing(server, client) -> None:
    """C-50: without a difference the base comes back and no request is made."""
    found = await client.patch(SECRET, KEY, merge_from(WIRE, dict(WIRE), optimistic_lock=True))
    assert found == WIRE
    assert found is not WIRE
    assert server.seen == []
    server.reply(WIRE)
    await client.patch(SECRET, KEY, merge_from(WIRE, dict(WIRE)), send_empty=True)
    assert server.seen[0].json == {}


def test_merge_from_is_minimal_and_can_lock() -> None:
    """C-50: only differences are in the patch; the lock adds the base's resource version."""
    new = WIRE | {"metadata": WIRE["metadata"] | {"labels": {"a": "b"}}}  # type: ignore[operator]
    assert merge_from(WIRE, new).body == {"metadata": {"labels": {"a": "b"}}}
    assert merge_from(WIRE, new, optimistic_lock=True).body["metadata"]["resourceVersion"] == "7"
    with pytest.raises(ValueError, match="no resourceVersion"):
        merge_from({}, new, optimistic_lock=True)


async def test_apply_strips_what_the_server_sets(server, client) -> None:
    """C-51: server-set metadata and the status stay out of an apply."""
    server.reply(WIRE)
    obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "a",
            "namespace": "ns",
            "uid": "u",
            "resourceVersion": "1",
            "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [],
            "labels": {"l": "v"},
        },
        "data": {"k": "dg=="},
        "status": {"x": 1},
    }
    await client.apply(obj, "owner")
    seen = server.seen[0]
    assert seen.query == {"fieldManager": "owner", "force": "true"}
    assert seen.json == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "ns", "labels": {"l": "v"}},
        "data": {"k": "dg=="},
    }
    assert obj["status"] == {"x": 1}
    await client.apply(obj, "owner", force=False, subresource="status", keep_resource_version=True)
    seen = server.seen[1]
    assert seen.path.endswith("/a/status")
    assert seen.query == {"fieldManager": "owner"}
    assert seen.json["status"] == {"x": 1}
    assert seen.json["metadata"]["resourceVersion"] == "1"


async def test_delete_carries_preconditions(server, client) -> None:
    """C-37: policy, grace period and preconditions go into DeleteOptions."""
    server.reply({"kind": "Status", "status": "Success"})
    answer = await client.delete(
        SECRET,
        KEY,
        propagation_policy="Foreground",
        preconditions=Preconditions(uid="u", resource_version="7"),
        grace_period=0,
        dry_run=True,
    )
    assert answer == {"kind": "Status", "status": "Success"}
    assert server.seen[0].json == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u", "resourceVersion": "7"},
        "dryRun": ["All"],
    }


async def test_delete_all_of_is_confined(server, client) -> None:
    """A namespaced kind needs its namespace."""
    server.reply({"kind": "SecretList", "items": []})
    await client.delete_all_of(SECRET, "ns", label_selector="a=b")
    assert (server.seen[0].method, server.seen[0].path) == ("DELETE", "/api/v1/namespaces/ns/secrets")
    assert server.seen[0].query == {"labelSelector": "a=b"}
    with pytest.raises(ValueError, match="say in which namespace"):
        await client.delete_all_of(SECRET)


async def test_subresources_have_their_own_shape(server, client) -> None:
    """C-30: a token request is posted below the service account."""
    server.reply({"kind": "TokenRequest", "status": {"token": "t"}}, 201)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["a"]}}
    token = await client.subresource(wellknown.SERVICE_ACCOUNT, "token").create(ObjectKey("ns", "sa"), body)
    assert token["status"]["token"] == "t"
    assert server.seen[0].path == "/api/v1/namespaces/ns/serviceaccounts/sa/token"
    assert server.seen[0].json == body


async def test_scope_decides_paths(client) -> None:
    """C-36: a namespace for a cluster-scoped kind, or none for a namespaced one, is an error."""
    with pytest.raises(ValueError, match="it is cluster-scoped"):
        await client.get(wellknown.NAMESPACE, ObjectKey("ns", "x"))
    with pytest.raises(ValueError, match="say in which namespace"):
        await client.get(SECRET, ObjectKey("", "x"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb"])
async def test_names_cannot_leave_their_place_in_the_path(client, name: str) -> None:
    """A name from outside cannot reach another path."""
    with pytest.raises(ValueError, match="must not be empty, a dot segment"):
        await client.get(SECRET, ObjectKey("ns", name))


async def test_a_text_is_no_key(client) -> None:
    """``"ab"`` must not become namespace a and name b."""
    with pytest.raises(TypeError, match=r"pass an ObjectKey\(namespace, name\)"):
        await client.get(SECRET, "ab")


async def test_variants_fill_in_and_confine(server, client) -> None:
    """C-38: namespace, field owner, validation and dry run compose."""
    server.reply(WIRE)
    variant = client.with_namespace("ns").with_field_owner("o").with_field_validation("Warn").dry_run().with_role("x")
    await variant.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})
    seen = server.seen[0]
    assert seen.path == "/api/v1/namespaces/ns/secrets"
    assert seen.query == {"fieldManager": "o", "fieldValidation": "Warn", "dryRun": "All"}
    assert seen.headers["User-Agent"].endswith("/x")
    await variant.get(SECRET, ObjectKey("", "a"))
    with pytest.raises(ValueError, match="confined to namespace 'ns'"):
        await variant.get(SECRET, ObjectKey("other", "a"))
    await variant.aclose()
    await client.get(SECRET, KEY)
    assert server.seen[-1].query == {}


async def test_an_interceptor_sees_and_answers(server, client) -> None:
    """C-38: an interceptor may change the request, or answer in the server's place."""
    from eso_core.client import ApiRequest, ApiResponse, Send

    async def intercept(request: ApiRequest, send: Send) -> ApiResponse:
        if request.path.endswith("/b"):
            return ApiResponse(200, {}, b'{"metadata":{"name":"made-up"}}')
        return await send(request)

    server.reply(WIRE)
    variant = client.with_interceptor(intercept)
    assert (await variant.get(SECRET, ObjectKey("ns", "b")))["metadata"]["name"] == "made-up"
    assert (await variant.get(SECRET, KEY)) == WIRE
    assert len(server.seen) == 1


async def test_errors_come_as_their_class(server, client) -> None:
    """G-20: the reason picks the class."""
    server.reply(
        {
            "kind": "Status",
            "reason": "NotFound",
            "code": 404,
            "message": 'secrets "a" not found',
            "details": {"name": "a"},
        },
        404,
    )
    with pytest.raises(
        NotFound, match=r'GET /api/v1/namespaces/ns/secrets/a: 404 NotFound: secrets "a" not found'
    ) as info:
        await client.get(SECRET, KEY)
    assert not info.value.is_path


async def test_a_dynamic_kind_needs_no_discovery_when_well_known(server, client) -> None:
    """C-34: the paths of well-known kinds are known."""
    server.reply({"metadata": {}})
    await client.get(GVK("coordination.k8s.io", "v1", "Lease"), KEY)
    assert server.seen[0].path == "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a"


async def test_large_bodies_are_sent_whole(server, client) -> None:
    """A Secret near the limit of the store goes out without a warning."""
    server.reply(WIRE)
    big = WIRE | {"data": {"k": "x" * 2_000_000}}
    await client.update(big)
    assert server.seen[0].json == big
