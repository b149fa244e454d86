"""Looks at one link each: the object's own conditions, a store, its credentials, a target, a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from controllers.explain.findings import Explanation
from controllers.externalsecret.names import DATA_HASH_ANNOTATION, MANAGED_LABEL
from controllers.externalsecret.plan import Plan
from controllers.externalsecret.render import foreign_controller, has_written, is_intact, is_managed
from controllers.externalsecret.target import owned_by
from controllers.failures import RECONCILING, STALLED, FailureClass
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.secretstore.access import StoreRef, namespace_allowed
from controllers.secretstore.objects import CLUSTER_STORE_KIND
from eso_core.meta import JsonObject, find_condition, parse_time

__all__ = [
    "credentials",
    "explain_failure",
    "explain_namespace",
    "explain_own",
    "explain_store",
    "explain_target",
    "store_fix",
]


def explain_own(out: Explanation, obj: JsonObject, now: datetime) -> bool:
    """The object's conditions; whether it says that it is Ready."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    conditions = status.get("conditions") or []
    ready = find_condition(conditions, "Ready")
    if metadata.get("deletionTimestamp"):
        held = ", ".join(metadata.get("finalizers") or ()) or "nothing"
        out.note("object", f"it is being deleted, held by the finalizers: {held}")
    if ready is None:
        out.bad(
            "object",
            "no operator has looked at it yet",
            "see that an operator runs and watches this namespace: kubectl get pods -A | grep external-secrets",
        )
        return False
    generation, seen = metadata.get("generation"), status.get("observedGeneration")
    if isinstance(generation, int) and isinstance(seen, int) and seen < generation:
        out.note(
            "object",
            f"its status is about generation {seen}, the spec is {generation}: it has not been synced since",
        )
    if ready.get("status") == "True":
        out.good("object", f"Ready: {ready.get('reason') or ''} {ready.get('message') or ''}".strip())
        _tell_refresh(out, status, now)
        return True
    detail = find_condition(conditions, STALLED) or find_condition(conditions, RECONCILING)
    if detail is not None:
        again = "it is tried again by itself" if detail["type"] == RECONCILING else "only a change helps"
        out.note("object", f"{detail.get('reason')} ({again}): {detail.get('message')}")
    else:
        cause = status.get("lastError") or ready.get("message") or ""
        out.note("object", f"not Ready, {ready.get('reason') or 'without a reason'}: {cause}")
    _tell_refresh(out, status, now)
    return False


_FIXES: Final = {
    FailureClass.NOT_FOUND: "put the secret into the store, correct the remote key, or mark the entry with optional: true",
    FailureClass.DENIED: "renew the credentials of the store if they have expired, or give them, or the operator, the right to do this "
    "(--ask-store tells which)",
    FailureClass.THROTTLED: "wait: the operator asks again when the store said; a longer refreshInterval asks less often",
    FailureClass.UNREACHABLE: "do what the message says, or see that the server answers from inside of the cluster; it is tried again by "
    "itself",
    FailureClass.INVALID_TEMPLATE: "correct the template: eso render shows what it makes",
    FailureClass.INVALID_REFERENCE: "create what the message names, or correct the reference",
    FailureClass.INVALID_SPEC: "correct the field that the message names",
    FailureClass.INVALID_STORE: "correct the field that the message names, in the store or in the generator",
    FailureClass.INVALID_DATA: "correct the entry (property, strategies, rewrite), or the value in the store",
    FailureClass.NOT_SUPPORTED: "this operator cannot do that: choose what it has, or install the package that brings it",
    FailureClass.STORE_NOT_READY: "repair the store: its users go on by themselves",
    FailureClass.TARGET_CONFLICT: "name another target, or delete one of the two",
    FailureClass.REJECTED: "correct what the API server finds wrong: the template, its type, or the keys of the target",
    FailureClass.INTERNAL: "look into the operator's log, and report it",
}


_PUSH_FIXES: Final = {
    str(
        FailureClass.DENIED
    ): "renew the credentials of the store if they have expired, or give them the right to read and write there",
    str(
        FailureClass.INVALID_DATA
    ): "correct the entry (remoteKey, property, metadata), or the value in the source Secret",
}


def explain_failure(out: Explanation, obj: JsonObject) -> None:
    """What the object itself says, where nothing around it is seen to be wrong."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    detail = find_condition(conditions, STALLED) or find_condition(conditions, RECONCILING)
    ready = find_condition(conditions, "Ready")
    said = detail or ready
    if said is None:
        return
    reason = said.get("reason") or ""
    fix = _FIXES[FailureClass(reason)] if reason in set(FailureClass) else store_fix(str(said.get("message")))
    if reason == FailureClass.DENIED and 'User "' in str(said.get("message")):
        fix = "grant the user that the message names what it cannot do"
    elif obj.get("kind") == PUSH_SECRET.kind:
        fix = _PUSH_FIXES.get(reason, fix)
    out.settle("object", str(said.get("message") or reason), fix)


def store_fix(message: str) -> str:
    """What to do about a store whose condition says this."""
    if "failed to find registered store backend" in message:
        return "choose a backend that this operator has, or install the package that brings it"
    return "do what the message says; the store is checked at once when it or a Secret that it names changes, else now and then"


def _tell_refresh(out: Explanation, status: JsonObject, now: datetime) -> None:
    text = status.get("refreshTime")
    if not text:
        return
    try:
        ago = max(0, int((now - parse_time(text)).total_seconds()))
    except ValueError:
        return
    out.note("object", f"the last sync that succeeded was at {text}, {ago} s ago")


def explain_namespace(out: Explanation, namespace: JsonObject | None, name: str) -> None:
    """The namespace, if something is wrong with it."""
    if namespace is None:
        out.unknown(f"Namespace {name}", "it cannot be read")
    elif namespace["metadata"].get("deletionTimestamp"):
        out.bad(f"Namespace {name}", "it is being deleted, so nothing can be created in it", "wait, or use another one")


def explain_store(
    out: Explanation,
    ref: StoreRef,
    store: JsonObject | None,
    namespace: str,
    labels: dict[str, str],
    elsewhere: str = "",
) -> bool:
    """A store, as far as its users can see it; whether it may be used. `elsewhere` is the fix where one of its name was found."""
    subject = f"{ref.kind} {ref.name}"
    if store is None:
        where = "" if ref.kind == CLUSTER_STORE_KIND else f" in namespace {namespace}"
        other = "SecretStore" if ref.kind == CLUSTER_STORE_KIND else "ClusterSecretStore"
        out.bad(
            subject,
            f"there is none of this name{where}",
            elsewhere or f"create it, correct the reference's name, or its kind if it is a {other}",
        )
        return False
    spec = store.get("spec") or {}
    if spec.get("controller"):
        out.note(subject, f"it is for operators with --controller-class={spec['controller']}")
    if (
        ref.kind == CLUSTER_STORE_KIND
        and spec.get("conditions")
        and not namespace_allowed(spec["conditions"], namespace, labels)
    ):
        out.bad(
            subject,
            f"spec.conditions does not admit namespace {namespace}",
            "add the namespace, a label it has, or a pattern to spec.conditions of the store",
        )
        return False
    ready = find_condition((store.get("status") or {}).get("conditions"), "Ready")
    if ready is None:
        out.bad(subject, "no operator has checked it yet", "see that the operator runs, and its controller class")
        return False
    if ready.get("status") != "True":
        out.bad(
            subject,
            f"it is not ready: {ready.get('reason')}: {ready.get('message')}",
            f"{store_fix(str(ready.get('message')))}; its users go on by themselves",
        )
        return False
    out.good(subject, f"{ready.get('reason') or 'Ready'}: {ready.get('message') or 'it may be used'}")
    return True


def credentials(store: JsonObject, namespace: str) -> Iterator[tuple[str, str, str, str]]:
    """Path, namespace, name and key of every Secret that the store's spec names."""
    provider = (store.get("spec") or {}).get("provider") or {}
    cluster = store.get("kind") == CLUSTER_STORE_KIND
    yield from _selectors(provider, "spec.provider", namespace, cluster=cluster)


def _selectors(node: object, path: str, namespace: str, *, cluster: bool) -> Iterator[tuple[str, str, str, str]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _selectors(item, f"{path}[{index}]", namespace, cluster=cluster)
    if not isinstance(node, dict):
        return
    last = path.rpartition(".")[2].lower()
    if (
        isinstance(node.get("name"), str)
        and ("secret" in last or last.endswith("ref"))
        and "serviceaccount" not in last
    ):
        if not isinstance(node.get("namespace"), str) or set(node) <= {"name", "key", "namespace"}:
            where = node.get("namespace") if cluster and node.get("namespace") else namespace
            yield path, str(where), node["name"], str(node.get("key") or "")
    for name, value in node.items():
        yield from _selectors(value, f"{path}.{name}", namespace, cluster=cluster)


def explain_target(out: Explanation, plan: Plan, secret: JsonObject | None, *, ready: bool) -> None:
    """The Secret that the object writes."""
    name = plan.target.name
    subject = f"Secret {name}"
    if secret is None:
        if plan.target.creation == "Merge":
            out.bad(
                subject,
                "creationPolicy is Merge, and there is no Secret to merge into",
                "create it, or use CreateOrMerge",
            )
        elif plan.target.creation == "None":
            out.note(subject, "creationPolicy None: the operator writes none")
        elif ready:
            out.note(subject, "it is not there although the object is Ready: see deletionPolicy and the last message")
        else:
            out.note(subject, "it is not there yet: it comes with the first sync")
        return
    holder = foreign_controller(secret["metadata"], plan.owner)
    if plan.target.creation == "Owner" and holder and not owned_by(secret, plan.owner):
        out.bad(
            subject,
            f"it is controlled by {holder}",
            "name another Secret in spec.target.name, or delete one of the two",
        )
        return
    if secret.get("immutable") and not ready and not has_written(plan.owner, plan.target, secret):
        out.bad(
            subject,
            "it is immutable, and this ExternalSecret has not made it, so that it is left as it is",
            "delete it, or name another Secret in spec.target.name",
        )
        return
    if secret.get("immutable") and not ready:
        out.note(subject, "it is immutable: its data cannot change; delete it to have it made anew")
    if not is_managed(secret["metadata"]):
        out.note(subject, f"it has no label {MANAGED_LABEL}: no ExternalSecret has written it yet")
    elif not is_intact(secret):
        out.bad(
            subject,
            f"its data is not what the last sync left ({DATA_HASH_ANNOTATION} differs): somebody else writes it",
            "the operator puts it right at its next look; find the other writer in metadata.managedFields",
        )
    else:
        out.good(subject, f"{len(secret.get('data') or {})} keys, as the last sync left them")
