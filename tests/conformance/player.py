"""Plays a scenario on a cluster and gives what it left behind in the form of the recordings.

A scenario applies, patches and deletes objects and takes snapshots. A snapshot holds every object of the scenario's
namespaces (and the cluster-scoped ones that carry its name) with all that differs from run to run taken out: times, uids,
versions, hashes, the name of the namespace.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import re
import time
from typing import Any

from eso_core.client import ApplyPatch, Client, MergePatch
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import AlreadyExists, ApiError, NoKindMatch, NotFound
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE, SECRET, SERVICE_ACCOUNT
from eso_core.testing.apiserver.server import ApiServer

__all__ = ["Player", "differences"]

JsonObject = dict[str, Any]

GROUP = "external-secrets.io"
GENERATORS = f"generators.{GROUP}"
RBAC = "rbac.authorization.k8s.io"
KINDS = {
    "Secret": SECRET,
    "ConfigMap": CONFIG_MAP,
    "Namespace": NAMESPACE,
    "ServiceAccount": SERVICE_ACCOUNT,
    **{
        kind: GVK(GROUP, "v1", kind)
        for kind in ("ExternalSecret", "SecretStore", "ClusterSecretStore", "ClusterExternalSecret")
    },
    **{kind: GVK(GROUP, "v1alpha1", kind) for kind in ("PushSecret", "ClusterPushSecret")},
    **{kind: GVK(RBAC, "v1", kind) for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")},
}
CLUSTER_SCOPED = {
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterSecretStore",
    "ClusterExternalSecret",
    "ClusterPushSecret",
    "ClusterGenerator",
}
STORES = ("SecretStore", "ClusterSecretStore")
SHOWN = ("Secret", "ConfigMap", "ExternalSecret", "SecretStore", "PushSecret", "GeneratorState")
SHOWN_CLUSTER = ("ClusterSecretStore", "ClusterExternalSecret", "ClusterPushSecret")

#: What the original writes; a product may say more.
STATUS_FIELDS = {
    "ExternalSecret": {"syncedResourceVersion", "conditions", "binding"},
    "SecretStore": {"conditions", "capabilities"},
    "ClusterSecretStore": {"conditions", "capabilities"},
    "ClusterExternalSecret": {"externalSecretName", "failedNamespaces", "provisionedNamespaces", "conditions"},
    "PushSecret": {"syncedResourceVersion", "syncedPushSecrets", "conditions"},
    "ClusterPushSecret": {"pushSecretName", "failedNamespaces", "provisionedNamespaces", "conditions"},
}
CAUSE_ADDED = ("could not update secret: ", "could not apply template to manifest: ")
CONDITIONS = {"Ready", "Deleted", "PartiallyReady", "NotReady"}

#: Seconds without a change that count as settled; the operator and the server share this process, so little is enough.
QUIET = 0.35
SETTLE_LIMIT = 20.0
#: Scenarios whose operator tries a dead backend for some seconds before it says so, or waits for a Secret that may come back.
PATIENT = {"vault-unusable": 4.0, "push-source-deleted": 1.5}
#: Pauses up to this long only wait for the operator; longer ones are about time itself.
LONGEST_PAUSE = 2.0

VOLATILE = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HASH = re.compile(r"\b[0-9a-f]{32,64}\b")


class Player:
    """Plays one scenario.

    Args:
        server: For garbage collection.
        client: The player's own client.
        scenario: As it stands in the file.
        places: What placeholders such as `$VAULT` stand for.
    """

    def __init__(self, server: ApiServer, client: Client, scenario: JsonObject, places: dict[str, str]) -> None:
        self._server = server
        self._client = client
        self._scenario = scenario
        self._namespace = f"cf-{scenario['name']}"
        self._namespaces = [self._namespace]
        self._places = {**places, "$NS": self._namespace}
        self._quiet = PATIENT.get(scenario["name"], QUIET)
        self._random = set(scenario.get("random", ()))
        self._ignored = [dotted.split(".") for dotted in scenario.get("ignore", ())]

    async def play(self) -> JsonObject:
        """All steps; returns what was refused and every snapshot."""
        refused: list[JsonObject] = []
        snapshots: dict[str, JsonObject] = {}
        await self._client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}})
        for step in self._filled(self._scenario["steps"]):
            if "apply" in step:
                for obj in step["apply"]:
                    refused += await self._apply(obj)
            elif "patch" in step:
                target = step["patch"]
                kind, key = self._address(target)
                await self._client.patch(kind, key, MergePatch(target["patch"]))
            elif "delete" in step:
                kind, key = self._address(step["delete"])
                try:
                    await self._client.delete(kind, key)
                except NotFound:
                    continue
            elif "sleep" in step:
                if step["sleep"] > LONGEST_PAUSE:
                    await asyncio.sleep(step["sleep"])
                else:
                    await self._settled()
            else:
                snapshots[step["snapshot"]] = self._snapshot(await self._settled())
        return {"refused": refused, "snapshots": snapshots}

    async def _apply(self, obj: JsonObject) -> list[JsonObject]:
        kind = obj["kind"]
        metadata = obj["metadata"]
        if kind == "Namespace":
            self._namespaces.append(metadata["name"])
        elif kind not in CLUSTER_SCOPED:
            obj = {**obj, "metadata": {"namespace": self._namespace, **metadata}}
        gvk = GVK.parse(obj["apiVersion"], kind)
        key = ObjectKey(obj["metadata"].get("namespace", ""), metadata["name"])
        try:
            try:
                await self._client.create(obj, field_manager="conformance")
            except AlreadyExists:
                await self._client.patch(gvk, key, ApplyPatch(obj), field_manager="conformance", force=True)
        except NoKindMatch:  # no such resource, which is no Status of the API
            return [{"object": self._scrubbed(f"{kind}/{metadata['name']}"), "code": 404, "reason": None}]
        except ApiError as error:
            named = f"{kind}/{metadata['name']}"
            return [{"object": self._scrubbed(named), "code": error.code, "reason": error.reason}]
        return []

    def _address(self, target: JsonObject) -> tuple[GVK, ObjectKey]:
        kind = target["kind"]
        namespace = "" if kind in CLUSTER_SCOPED else target.get("namespace", self._namespace)
        return _gvk(kind), ObjectKey(namespace, target["name"])

    async def _read(self) -> dict[str, JsonObject]:
        found: dict[str, JsonObject] = {}
        for namespace in self._namespaces:
            for kind in SHOWN:
                for obj in await self._list(kind, namespace):
                    if obj["metadata"]["name"] != "kube-root-ca.crt":
                        found[f"{kind}/{namespace}/{obj['metadata']['name']}"] = obj
        for kind in SHOWN_CLUSTER:
            for obj in await self._list(kind):
                name = obj["metadata"]["name"]
                if name == self._namespace or name.startswith(f"{self._namespace}-"):
                    found[f"{kind}//{name}"] = obj
        return found

    async def _list(self, kind: str, namespace: str | None = None) -> list[JsonObject]:
        try:
            return (await self._client.list(_gvk(kind), namespace)).items
        except NoKindMatch:
            return []

    async def _settled(self) -> dict[str, JsonObject]:
        """The objects once nothing has changed for a while."""
        deadline = time.monotonic() + SETTLE_LIMIT
        seen: dict[str, str] = {}
        since = time.monotonic()
        while True:
            await self._server.run_gc()
            found = await self._read()
            versions = {key: obj["metadata"]["resourceVersion"] for key, obj in found.items()}
            now = time.monotonic()
            if versions != seen:
                seen, since = versions, now
            if now - since >= self._quiet or now > deadline:
                return found
            await asyncio.sleep(0.05)

    def _snapshot(self, found: dict[str, JsonObject]) -> JsonObject:
        return {self._scrubbed(key): self._normal(obj) for key, obj in sorted(found.items())}

    def _normal(self, obj: JsonObject) -> JsonObject:
        obj = copy.deepcopy(obj)
        obj.pop("apiVersion", None)
        metadata = obj["metadata"]
        for name in VOLATILE:
            metadata.pop(name, None)
        for name in ("annotations", "labels"):
            if not metadata.get(name):
                metadata.pop(name, None)
        for reference in metadata.get("ownerReferences", []):
            reference["uid"] = "<uid>"
        metadata.get("finalizers", []).sort()
        if obj["kind"] == "Secret" and obj.get("data"):
            name = self._scrubbed(metadata["name"])
            obj["data"] = {
                key: _measured(text) if f"Secret/{name}/{key}" in self._random else self._value(text)
                for key, text in obj["data"].items()
            }
        if isinstance(obj.get("status"), dict):
            self._normal_status(obj)
        for *parents, last in self._ignored:
            node: Any = obj
            for parent in parents:
                node = node.get(parent) if isinstance(node, dict) else None
            if isinstance(node, dict):
                node.pop(last, None)
        scrubbed: JsonObject = self._scrub(obj)
        return scrubbed

    def _normal_status(self, obj: JsonObject) -> None:
        known = STATUS_FIELDS.get(obj["kind"])
        status = obj["status"]
        status.pop("refreshTime", None)
        if known is not None:
            status = obj["status"] = {name: value for name, value in status.items() if name in known}
        if not status.get("conditions"):
            return
        conditions = [entry for entry in status["conditions"] if known is None or entry.get("type") in CONDITIONS]
        for condition in conditions:
            for name in ("lastTransitionTime", "lastUpdateTime", "observedGeneration"):
                condition.pop(name, None)
            if obj["kind"] in STORES or condition.get("message", "").startswith(CAUSE_ADDED):
                # The recorded wording, without the cause that we add to it.
                condition["message"] = condition["message"].partition(": ")[0]
        status["conditions"] = sorted(conditions, key=lambda entry: str(entry.get("type", "")))

    def _value(self, text: str) -> str:
        raw = base64.b64decode(text)
        try:
            return self._scrubbed(raw.decode())
        except UnicodeDecodeError:
            return f"base64:{text}"

    def _filled(self, node: Any) -> Any:
        return _strings(node, self._fill)

    def _scrub(self, node: Any) -> Any:
        return _strings(node, self._scrubbed)

    def _fill(self, text: str) -> str:
        for name, value in self._places.items():
            text = text.replace(name, value)
        return text

    def _scrubbed(self, text: str) -> str:
        for name, value in self._places.items():
            text = text.replace(value, name) if value else text
        return HASH.sub("<hash>", UID.sub("<uid>", TIME.sub("<time>", text)))


def _gvk(kind: str) -> GVK:
    return KINDS.get(kind) or GVK(GENERATORS, "v1alpha1", kind)


def _measured(text: str) -> str:
    """What can be said about a random value."""
    value = base64.b64decode(text).decode("utf-8", "replace")
    classes = "".join(
        name
        for name, pattern in (("a", "[a-z]"), ("A", "[A-Z]"), ("0", "[0-9]"), ("#", "[^A-Za-z0-9]"))
        if re.search(pattern, value)
    )
    return f"<random len={len(value)} classes={classes}>"


def _strings(node: Any, change: Any) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, list):
        return [_strings(item, change) for item in node]
    if isinstance(node, dict):
        return {change(key): _strings(value, change) for key, value in node.items()}
    return node


def differences(want: Any, got: Any, path: str = "") -> list[str]:
    """One line for each place where two trees differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        lines: list[str] = []
        for key in sorted({*want, *got}):
            here = f"{path}.{key}" if path else key
            if key not in got:
                lines.append(f"{here}: missing, recorded was {want[key]!r}")
            elif key not in want:
                lines.append(f"{here}: {got[key]!r}, recorded was nothing")
            else:
                lines += differences(want[key], got[key], here)
        return lines
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [
            line for i, pair in enumerate(zip(want, got, strict=True)) for line in differences(*pair, f"{path}[{i}]")
        ]
    return [] if want == got else [f"{path}: {got!r}, recorded was {want!r}"]
