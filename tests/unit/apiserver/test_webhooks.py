"""Admission webhooks: who is asked, what their answers do, and what happens when they do not answer."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from eso_core.testing.apiserver.certs import Certificates, make_certificates
from tests.unit.apiserver.conftest import Caller, config_map

JsonObject = dict[str, Any]
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"


class Hook:
    """A webhook over TLS; ``answer`` makes the response (without uid) from the request."""

    def __init__(self, certificates: Certificates) -> None:
        self.certificates = certificates
        self.requests: list[JsonObject] = []
        self.answer: Callable[[JsonObject], JsonObject] = lambda request: {"allowed": True}
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        review = await request.json()
        assert request.headers["User-Agent"] == "kube-apiserver-admission"
        self.requests.append(review["request"])
        response = {"uid": review["request"]["uid"], **self.answer(review["request"])}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})

    def configuration(self, kind: str = "Validating", **changes: Any) -> JsonObject:
        ca = base64.b64encode(self.certificates.ca_cert.encode()).decode()
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
        hook = {
            "name": "maps.test.example.io",
            "clientConfig": {"url": f"https://127.0.0.1:{self.port}/hook", "caBundle": ca},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **changes,
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "hooks"},
            "webhooks": [hook],
        }


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """A running webhook."""
    found = Hook(make_certificates("127.0.0.1"))
    app = web.Application()
    app.router.add_post("/hook", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=found.certificates.context())
    await site.start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


async def install(call: Caller, configuration: JsonObject) -> None:
    plural = f"{configuration['kind'].lower()}s"
    reply = await call("POST", f"{CONFIGURATIONS}/{plural}", configuration)
    assert reply.status == 201, reply.body


async def test_a_validating_webhook_sees_the_request_and_may_refuse_it(call: Caller, hook: Hook) -> None:
    """T-60: the refusal carries the webhook's code, reason and message."""
    await install(call, hook.configuration())
    hook.answer = lambda request: {
        "allowed": False,
        "status": {"code": 403, "reason": "Forbidden", "message": "no way"},
    }
    reply = await call("POST", f"{MAPS}?fieldManager=me", config_map("a", k="v"))
    assert (reply.status, reply.body["reason"]) == (403, "Forbidden")
    assert reply.body["message"] == 'admission webhook "maps.test.example.io" denied the request: no way'
    request = hook.requests[0]
    assert request["operation"] == "CREATE"
    assert request["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (request["name"], request["namespace"], request["dryRun"]) == ("a", "default", False)
    assert request["object"]["data"] == {"k": "v"}
    assert request["userInfo"]["username"] == "kubernetes-admin"
    assert request["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"}
    assert (await call("GET", f"{MAPS}/a")).status == 404


async def test_a_refusal_without_words_is_a_bad_request(call: Caller, hook: Hook) -> None:
    """T-60: neither code nor message given."""
    await install(call, hook.configuration())
    hook.answer = lambda request: {"allowed": False}
    reply = await call("POST", MAPS, config_map("a"))
    assert reply.status == 400
    assert reply.body["message"] == ('admission webhook "maps.test.example.io" denied the request without explanation')


async def test_a_mutating_webhook_changes_the_object(call: Caller, hook: Hook) -> None:
    """T-60: its JSON patch is applied before the object is stored."""
    await install(call, hook.configuration("Mutating"))
    operations = [{"op": "add", "path": "/data/added", "value": "yes"}]
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    hook.answer = lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": patch}
    reply = await call("POST", MAPS, config_map("a", k="v"))
    assert reply.body["data"] == {"k": "v", "added": "yes"}
    assert (await call("GET", f"{MAPS}/a")).body["data"] == {"k": "v", "added": "yes"}


async def test_updates_and_deletes_show_the_old_object(call: Caller, hook: Hook) -> None:
    """T-60: oldObject is what is stored; a deletion has no object."""
    await call("POST", MAPS, config_map("a", k="1"))
    await install(call, hook.configuration())
    await call("PATCH", f"{MAPS}/a", {"data": {"k": "2"}}, type="application/merge-patch+json")
    await call("DELETE", f"{MAPS}/a")
    update, delete = hook.requests
    assert (update["operation"], update["object"]["data"], update["oldObject"]["data"]) == (
        "UPDATE",
        {"k": "2"},
        {"k": "1"},
    )
    assert (delete["operation"], delete["object"], delete["oldObject"]["data"]) == ("DELETE", None, {"k": "2"})


async def test_warnings_of_a_webhook_reach_the_client(call: Caller, hook: Hook) -> None:
    """T-60: as Warning headers."""
    await install(call, hook.configuration())
    hook.answer = lambda request: {"allowed": True, "warnings": ["careful"]}
    reply = await call("POST", MAPS, config_map("a"))
    assert reply.header("warning") == ['299 - "careful"']


async def test_selectors_and_conditions_choose_what_is_asked_about(call: Caller, hook: Hook) -> None:
    """T-60: an object selector and a CEL condition must both hold."""
    conditions = [{"name": "big", "expression": "size(object.data) > 1 && request.operation == 'CREATE'"}]
    selector = {"matchLabels": {"ask": "yes"}}
    await install(call, hook.configuration(objectSelector=selector, matchConditions=conditions))
    labelled = {"metadata": {"name": "b", "labels": {"ask": "yes"}}}
    for body in (
        config_map("a", k="1", l="2"),
        {**config_map("b", k="1"), **labelled},
        {**config_map("c", k="1", l="2"), "metadata": {"name": "c", "labels": {"ask": "yes"}}},
    ):
        assert (await call("POST", MAPS, body)).status == 201
    assert [request["name"] for request in hook.requests] == ["c"]


async def test_an_unreachable_webhook_fails_the_write_unless_told_to_ignore(call: Caller, hook: Hook) -> None:
    """T-60: failurePolicy Fail answers 500, Ignore goes on."""
    dead = hook.configuration(clientConfig={"url": "https://127.0.0.1:1/hook"})
    await install(call, dead)
    reply = await call("POST", MAPS, config_map("a"))
    assert (reply.status, reply.body["reason"]) == (500, "InternalError")
    assert reply.body["message"].startswith(
        'Internal error occurred: failed calling webhook "maps.test.example.io": failed to call webhook: '
        'Post "https://127.0.0.1:1/hook?timeout=10s": '
    )
    ignoring = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    path = f"{CONFIGURATIONS}/validatingwebhookconfigurations/hooks"
    assert (await call("PATCH", path, ignoring, type="application/json-patch+json")).status == 200
    assert (await call("POST", MAPS, config_map("a"))).status == 201


async def test_a_dry_run_is_not_shown_to_webhooks_with_side_effects(call: Caller, hook: Hook) -> None:
    """T-56: such a webhook makes the dry run fail."""
    configuration = hook.configuration(sideEffects="NoneOnDryRun")
    await install(call, configuration)
    assert (await call("POST", f"{MAPS}?dryRun=All", config_map("a"))).status == 201
    assert hook.requests[0]["dryRun"] is True


async def test_a_write_that_lost_the_race_during_a_webhook_call_starts_over(call: Caller, hook: Hook) -> None:
    """T-64: what a webhook approved is what is stored, on top of the latest state."""
    await call("POST", MAPS, config_map("a", k="1"))
    await install(call, hook.configuration())
    raced: list[JsonObject] = []

    def answer(request: JsonObject) -> JsonObject:
        if not raced:
            raced.append(request)
            entry = call.server._store.table("configmaps").get("default/a")
            assert entry is not None
            call.server._store.table("configmaps").update(entry, {**entry.decode(), "data": {"k": "1", "other": "x"}})
        return {"allowed": True}

    hook.answer = answer
    reply = await call("PATCH", f"{MAPS}/a", {"data": {"k": "2"}}, type="application/merge-patch+json")
    assert reply.body["data"] == {"k": "2", "other": "x"}
    assert len(hook.requests) == 2


async def test_a_bad_configuration_is_refused_with_all_its_faults(call: Caller, hook: Hook) -> None:
    """T-60: names, review versions, side effects, target."""
    bad = hook.configuration(name="short", clientConfig={}, admissionReviewVersions=[], sideEffects=None)
    reply = await call("POST", f"{CONFIGURATIONS}/validatingwebhookconfigurations", bad)
    assert reply.status == 422
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == [
        "webhooks[0].admissionReviewVersions",
        "webhooks[0].name",
        "webhooks[0].sideEffects",
        "webhooks[0].clientConfig",
    ]
