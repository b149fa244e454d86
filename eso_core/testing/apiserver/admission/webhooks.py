"""Mutating and validating webhooks: calls them over HTTPS and does what they say."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any, Final

import orjson

from eso_core.meta import jsonpatch
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.admission.match import (
    ConditionFailed,
    Matched,
    match_conditions,
    match_rules,
    match_selectors,
)
from eso_core.testing.apiserver.errors import StatusError, bad_request
from eso_core.testing.apiserver.http.suspend import enter_task
from eso_core.testing.apiserver.storage.store import Change, Store, Table
from eso_core.testing.apiserver.strategy import Call, DecodeFailure
from eso_core.testing.apiserver.webhook_client import CallFailed, WebhookClient

JsonObject = dict[str, Any]

GROUP: Final = "admissionregistration.k8s.io"
_MUTATING: Final = f"{GROUP}/mutatingwebhookconfigurations"
_VALIDATING: Final = f"{GROUP}/validatingwebhookconfigurations"
_AGENT: Final = "kube-apiserver-admission"
_DEFAULT_TIMEOUT: Final = 10


class Webhooks:
    """The configured webhooks."""

    def __init__(self, store: Store, client: WebhookClient) -> None:
        self._store = store
        self._client = client
        self._hooks: dict[str, list[JsonObject]] = {}
        store.subscribe(self._on_change)

    def _on_change(self, table: Table, change: Change) -> None:
        if table.path in (_MUTATING, _VALIDATING):
            self._hooks.pop(table.path, None)

    def _configured(self, path: str) -> list[JsonObject]:
        """All webhooks of one sort, in the order of their configurations' names."""
        found = self._hooks.get(path)
        if found is None:
            entries = self._store.table(path).snapshot(self._store.revision)
            found = self._hooks[path] = [hook for entry in entries for hook in entry.decode().get("webhooks") or ()]
        return found

    # -- the two phases

    async def mutate(
        self, call: Call, operation: str, obj: JsonObject | None, old: JsonObject | None
    ) -> JsonObject | None:
        """The object as the mutating webhooks leave it. Raises `StatusError`."""
        hooks = self._configured(_MUTATING)
        if not hooks or call.resource.group == GROUP:
            return obj
        asked: list[tuple[JsonObject, JsonObject | None]] = []
        for hook in hooks:
            matched = self._matches(hook, call, operation, obj, old)
            if matched is None:
                continue
            obj = await self._mutate_by(hook, matched, call, operation, obj, old)
            asked.append((hook, obj))
        for hook, seen in asked:
            # A webhook that wants to know sees the object again when later ones changed it.
            if hook.get("reinvocationPolicy") == "IfNeeded" and seen != obj:
                matched = self._matches(hook, call, operation, obj, old)
                if matched is not None:
                    obj = await self._mutate_by(hook, matched, call, operation, obj, old)
        return obj

    async def validate(self, call: Call, operation: str, obj: JsonObject | None, old: JsonObject | None) -> None:
        """Ask the validating webhooks. Raises `StatusError` when one refuses."""
        hooks = self._configured(_VALIDATING)
        if not hooks or call.resource.group == GROUP:
            return
        for hook in hooks:
            matched = self._matches(hook, call, operation, obj, old)
            if matched is not None:
                await self._ask(hook, matched, call, operation, obj, old)

    async def _mutate_by(
        self,
        hook: JsonObject,
        matched: Matched,
        call: Call,
        operation: str,
        obj: JsonObject | None,
        old: JsonObject | None,
    ) -> JsonObject | None:
        response = await self._ask(hook, matched, call, operation, obj, old)
        text = response.get("patch")
        if not text or obj is None:
            return obj
        try:
            if response.get("patchType") != "JSONPatch":
                raise ValueError(f"unsupported patch type {response.get('patchType')!r}")
            operations = orjson.loads(base64.b64decode(text))
            patched = jsonpatch.apply(_in_version(obj, call, matched.version), operations, lenient=True)
            patched = _in_version(patched, call, call.version.name)
            call.resource.strategy.decode(call.version, patched, patch=True)
        except (ValueError, DecodeFailure, binascii.Error) as error:
            raise errors.internal(f"{error}") from error
        call.resource.strategy.default(call.version, patched)
        result: JsonObject = patched
        return result

    # -- one webhook

    def _matches(
        self, hook: JsonObject, call: Call, operation: str, obj: JsonObject | None, old: JsonObject | None
    ) -> Matched | None:
        matched = match_rules(hook, call, operation)
        if matched is None or not match_selectors(hook, call, obj, old, self._namespace_labels):
            return None
        if hook.get("matchConditions"):
            request = _request(call, matched, operation, obj, old, "")
            values = {"object": obj, "oldObject": old, "request": request}
            try:
                if not match_conditions(hook, values):
                    return None
            except ConditionFailed as error:
                if hook.get("failurePolicy") == "Ignore":
                    return None
                text = f'admission webhook "{hook["name"]}" denied the request: {error}'
                raise StatusError(403, "Forbidden", text, {}) from error
        return matched

    def _namespace_labels(self, name: str) -> dict[str, str]:
        entry = self._store.table("namespaces").get(name)
        return entry.labels if entry is not None else {}

    async def _ask(
        self,
        hook: JsonObject,
        matched: Matched,
        call: Call,
        operation: str,
        obj: JsonObject | None,
        old: JsonObject | None,
    ) -> JsonObject:
        """The webhook's response when it allows the write. Raises `StatusError`."""
        name = hook["name"]
        if call.options.dry_run and hook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise bad_request(f'admission webhook "{name}" does not support dry run')
        uid = str(uuid.uuid4())
        request = _request(call, matched, operation, obj, old, uid)
        await enter_task()
        try:
            response = await self._post(hook, request, uid)
        except CallFailed as error:
            if hook.get("failurePolicy", "Fail") == "Ignore":
                return {}
            raise errors.internal(f'failed calling webhook "{name}": {error}') from error
        for text in response.get("warnings") or ():
            call.warn(str(text))
        if response.get("allowed") is True:
            return response
        raise _denial(name, response.get("status") or {})

    async def _post(self, hook: JsonObject, request: JsonObject, uid: str) -> JsonObject:
        seconds = hook.get("timeoutSeconds") or _DEFAULT_TIMEOUT
        review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
        answer = await self._client.post(hook.get("clientConfig") or {}, review, seconds, _AGENT)
        response = answer.get("response")
        if not isinstance(response, dict):
            raise CallFailed("expected response.uid to be set, received no response")
        if response.get("uid") != uid:
            raise CallFailed(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
        return response


def _denial(name: str, status: JsonObject) -> StatusError:
    message, reason = status.get("message"), status.get("reason")
    why = f": {message}" if message else f": {reason}" if reason else " without explanation"
    text = f'admission webhook "{name}" denied the request{why}'
    code = status.get("code") or 400
    return StatusError(int(code), str(reason or ""), text, status.get("details"))


def _in_version(obj: JsonObject, call: Call, version: str) -> JsonObject:
    wanted = call.resource.api_version(version)
    return obj if obj.get("apiVersion") == wanted else {**obj, "apiVersion": wanted}


def _request(
    call: Call,
    matched: Matched,
    operation: str,
    obj: JsonObject | None,
    old: JsonObject | None,
    uid: str,
) -> JsonObject:
    resource = call.resource
    options = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}[operation]

    def kind(version: str) -> JsonObject:
        return {"group": resource.group, "version": version, "kind": resource.kind}

    def named(version: str) -> JsonObject:
        return {"group": resource.group, "version": version, "resource": resource.plural}

    details: JsonObject = {"kind": options, "apiVersion": "meta.k8s.io/v1"}
    if call.options.field_manager:
        details["fieldManager"] = call.options.field_manager
    if call.options.dry_run:
        details["dryRun"] = ["All"]
    request: JsonObject = {
        "uid": uid,
        "kind": kind(matched.version),
        "resource": named(matched.version),
        "requestKind": kind(call.version.name),
        "requestResource": named(call.version.name),
        "name": call.name or ((obj or {}).get("metadata") or {}).get("name", ""),
        "namespace": call.namespace,
        "operation": operation,
        "userInfo": call.user.to_object(),
        "object": None if obj is None else _in_version(obj, call, matched.version),
        "oldObject": None if old is None else _in_version(old, call, matched.version),
        "dryRun": call.options.dry_run,
        "options": details,
    }
    if call.subresource:
        request["subResource"] = request["requestSubResource"] = call.subresource
    if not request["namespace"]:
        del request["namespace"]
    return request
