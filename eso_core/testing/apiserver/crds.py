"""Custom resource definitions at work: names, conditions, serving, and the removal of a definition's objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from eso_core.testing.apiserver.conversion import ConversionWebhook
from eso_core.testing.apiserver.custom import CustomStrategy
from eso_core.testing.apiserver.internal import InternalCalls
from eso_core.testing.apiserver.resources import (
    CUSTOM_VERBS,
    Column,
    ResourceRegistry,
    ResourceType,
    ScalePaths,
    SubResource,
    Version,
)
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]

GROUP: Final = "apiextensions.k8s.io"
PLURAL: Final = "customresourcedefinitions"
CRD_PATH: Final = f"{GROUP}/{PLURAL}"
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_ANY: Final[JsonObject] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class DefinitionController:
    """Watches definitions, serves what they define and keeps their status."""

    def __init__(
        self,
        store: Store,
        registry: ResourceRegistry,
        calls: InternalCalls,
        schedule: Callable[[Callable[[], None]], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._calls = calls
        self._schedule = schedule
        self._pending: dict[str, None] = {}
        self._served: dict[str, tuple[int, ResourceType]] = {}
        store.subscribe(self._on_change)

    def start(self) -> None:
        """Serve the definitions that the store holds."""
        for entry in list(self._store.table(CRD_PATH).entries()):
            self._pending[entry.name] = None
        self.run()

    def _on_change(self, table: Table, change: Change) -> None:
        if table.path == CRD_PATH:
            self._touch(change.current.name)
        elif change.deleted:
            served = self._served.get(table.path)
            if served is not None and served[1].terminating:
                self._touch(served[1].qualified)

    def _touch(self, name: str) -> None:
        if not self._pending:
            self._schedule(self.run)
        self._pending[name] = None

    @property
    def idle(self) -> bool:
        """Whether nothing is due."""
        return not self._pending

    def run(self) -> None:
        """Do what is due."""
        while self._pending:
            name = next(iter(self._pending))
            del self._pending[name]
            self._reconcile(name)

    def _reconcile(self, name: str) -> None:
        entry = self._store.table(CRD_PATH).get(name)
        if entry is None:
            self._stop_serving(name)
            return
        crd = entry.decode()
        if crd["metadata"].get("deletionTimestamp"):
            self._remove_objects(name, crd)
            return
        status = self._wanted_status(crd)
        if status != crd.get("status"):
            self._calls.update(
                "apiextensions.k8s.io", "v1", PLURAL, "", name, _with_status(status), subresource="status"
            )
            return  # the change brings us back
        if _condition(status, "Established") == "True":
            self._serve(crd)

    # -- status

    def _wanted_status(self, crd: JsonObject) -> JsonObject:
        status = dict(crd.get("status") or {})
        conditions = [dict(item) for item in status.get("conditions") or []]
        accepted, conflict = self._accepted_names(crd, dict(status.get("acceptedNames") or {}))
        if conflict is None:
            self._set(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
            self._set(conditions, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
        else:
            reason, text = conflict
            self._set(conditions, "NamesAccepted", "False", reason, text)
            if not any(item["type"] == "Established" for item in conditions):
                self._set(conditions, "Established", "False", "NotAccepted", "not all names are accepted")
        status["conditions"] = conditions
        status["acceptedNames"] = accepted
        return status

    def _set(self, conditions: list[JsonObject], kind: str, status: str, reason: str, message: str) -> None:
        for item in conditions:
            if item["type"] == kind:
                if item["status"] == status:
                    if kind != "Established":
                        item.update(reason=reason, message=message)
                    return
                item.update(status=status, reason=reason, message=message, lastTransitionTime=self._calls.timestamp())
                return
        conditions.append(
            {
                "type": kind,
                "status": status,
                "lastTransitionTime": self._calls.timestamp(),
                "reason": reason,
                "message": message,
            }
        )

    def _taken_names(self, crd: JsonObject) -> tuple[set[str], set[str]]:
        """Names (plural, singular, short) and kinds that other definitions of the group hold."""
        names: set[str] = set()
        kinds: set[str] = set()
        for entry in self._store.table(CRD_PATH).entries():
            other = entry.decode()
            if entry.name == crd["metadata"]["name"] or other["spec"]["group"] != crd["spec"]["group"]:
                continue
            held = (other.get("status") or {}).get("acceptedNames") or {}
            names.update(name for name in (held.get("plural"), held.get("singular")) if name)
            names.update(held.get("shortNames") or [])
            kinds.update(name for name in (held.get("kind"), held.get("listKind")) if name)
        return names, kinds

    def _accepted_names(self, crd: JsonObject, before: JsonObject) -> tuple[JsonObject, tuple[str, str] | None]:
        """The names that are free, and the last conflict among the others as reason and message."""
        wanted = crd["spec"]["names"]
        names, kinds = self._taken_names(crd)
        conflict: tuple[str, str] | None = None
        accepted: JsonObject = {"plural": "", "kind": "", **before}
        for key, reason, taken in (
            ("plural", "PluralConflict", names),
            ("singular", "SingularConflict", names),
            ("shortNames", "ShortNamesConflict", names),
            ("kind", "KindConflict", kinds),
            ("listKind", "ListKindConflict", kinds),
        ):
            value = wanted.get(key)
            clashes = [name for name in (value if isinstance(value, list) else [value]) if name and name in taken]
            if clashes:
                conflict = (reason, f'"{clashes[0]}" is already in use')
            elif value:
                accepted[key] = value
            else:
                accepted.pop(key, None)
        if wanted.get("categories"):
            accepted["categories"] = wanted["categories"]
        else:
            accepted.pop("categories", None)
        return accepted, conflict

    # -- serving

    def _serve(self, crd: JsonObject) -> None:
        generation = crd["metadata"].get("generation", 0)
        path = f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"
        known = self._served.get(path)
        if known is not None and known[0] == generation and known[1].uid == crd["metadata"]["uid"]:
            return
        resource = custom_resource(crd)
        self._served[path] = (generation, resource)
        self._registry.add(resource)
        self._store.table(path).end_watches()

    def _stop_serving(self, name: str) -> None:
        plural, _, group = name.partition(".")
        path = f"{group}/{plural}"
        if self._served.pop(path, None) is not None:
            self._registry.remove(group, plural)
            self._store.table(path).end_watches()
            self._store.drop(path)

    def _remove_objects(self, name: str, crd: JsonObject) -> None:
        status = dict(crd.get("status") or {})
        conditions = [dict(item) for item in status.get("conditions") or []]
        plural, _, group = name.partition(".")
        served = self._served.get(f"{group}/{plural}")
        if CLEANUP not in (crd["metadata"].get("finalizers") or []):
            return  # its objects are gone; someone else's finalizer holds it
        self._set(
            conditions,
            "Terminating",
            "True",
            "InstanceDeletionInProgress",
            "CustomResource deletion is in progress",
        )
        status["conditions"] = conditions
        if status != crd.get("status"):
            self._calls.update(GROUP, "v1", PLURAL, "", name, _with_status(status), subresource="status")
        if served is not None:
            served[1].terminating = True
            table = self._store.table(served[1].path)
            for entry in list(table.entries()):
                self._calls.delete(served[1], entry)
            if len(table):
                return
        self._calls.update(GROUP, "v1", PLURAL, "", name, _without_cleanup)


def _with_status(status: JsonObject) -> Callable[[JsonObject], JsonObject]:
    return lambda obj: {**obj, "status": status}


def _without_cleanup(obj: JsonObject) -> JsonObject:
    meta = dict(obj["metadata"])
    left = [item for item in meta.get("finalizers") or [] if item != CLEANUP]
    if left:
        meta["finalizers"] = left
    else:
        meta.pop("finalizers", None)
    return {**obj, "metadata": meta}


def _condition(status: JsonObject, kind: str) -> str:
    for item in status.get("conditions") or []:
        if item["type"] == kind:
            found: str = item["status"]
            return found
    return ""


def custom_resource(crd: JsonObject) -> ResourceType:
    """The resource that a definition describes."""
    spec = crd["spec"]
    names = spec["names"]
    versions = {item["name"]: _version(item) for item in spec["versions"]}
    storage = next(item["name"] for item in spec["versions"] if item.get("storage"))
    schemas = {name: version.openapi for name, version in versions.items()}
    subresources: list[SubResource] = []
    if any(version.status for version in versions.values()):
        subresources.append(SubResource("status", ("get", "patch", "update")))
    if any(version.scale for version in versions.values()):
        subresources.append(SubResource("scale", ("get", "patch", "update"), "Scale", "autoscaling", "v1"))
    return ResourceType(
        group=spec["group"],
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        versions=versions,
        storage_version=storage,
        strategy=CustomStrategy(schemas, storage, f"{crd['metadata']['uid']}/{crd['metadata'].get('generation', 0)}"),
        path=f"{spec['group']}/{names['plural']}",
        singular=names.get("singular", ""),
        list_kind=names.get("listKind", ""),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=CUSTOM_VERBS,
        subresources=tuple(subresources),
        custom=True,
        generation=True,
        uid=crd["metadata"]["uid"],
        conversion=_conversion(spec.get("conversion") or {}),
    )


def _conversion(spec: JsonObject) -> ConversionWebhook | None:
    if spec.get("strategy") != "Webhook":
        return None
    webhook = spec.get("webhook") or {}
    versions = tuple(webhook.get("conversionReviewVersions") or ())
    return ConversionWebhook(webhook.get("clientConfig") or {}, versions)


def _version(item: JsonObject) -> Version:
    subresources = item.get("subresources") or {}
    scale = subresources.get("scale")
    columns = tuple(
        Column(
            column["name"],
            column["type"],
            column["jsonPath"],
            column.get("format", ""),
            column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
            column.get("priority", 0),
        )
        for column in item.get("additionalPrinterColumns") or ()
    )
    return Version(
        name=item["name"],
        openapi=(item.get("schema") or {}).get("openAPIV3Schema") or _ANY,
        served=bool(item.get("served")),
        status="status" in subresources,
        scale=ScalePaths(
            scale.get("specReplicasPath", ""), scale.get("statusReplicasPath", ""), scale.get("labelSelectorPath", "")
        )
        if scale
        else None,
        columns=columns,
        selectable=tuple(field["jsonPath"] for field in item.get("selectableFields") or ()),
        deprecated=bool(item.get("deprecated")),
        warning=item.get("deprecationWarning") or "",
    )
