"""Reading Secrets of one namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from eso_core.client import Client
from eso_core.meta import JsonObject, LabelSelector
from eso_core.meta.errors import (
    NotFound,
    SelectorError,
)
from eso_core.meta.wellknown import SECRET
from providers.errors import AccessDenied, InvalidEntry, InvalidSpec, NotSupported, ProviderError
from providers.find import name_matcher
from providers.interface import (
    DocumentClient,
    Find,
    ProviderCalls,
    PushData,
    RemoteRef,
    SecretsClient,
    Validation,
    ValidationState,
)
from providers.kubernetes.documents import Document, data_of, data_text, select, select_map
from providers.kubernetes.requests import Requests, translated
from providers.kubernetes.writing import Writer

__all__ = ["KubernetesClient", "UnboundClient"]

_REVIEWS = "/apis/authorization.k8s.io/v1"


class KubernetesClient(DocumentClient[Document]):
    """One store.

    Args:
        cluster: Client with the store's credentials; is closed with this.
        namespace: Where the Secrets are.
        calls: Counts requests.
        is_cluster_store: Whether pushes may go to other namespaces.
    """

    def __init__(self, cluster: Client, namespace: str, calls: ProviderCalls, *, is_cluster_store: bool) -> None:
        self._cluster = cluster
        self._requests = Requests(cluster, calls)
        self._namespace = namespace
        self._writer = Writer(self._requests, namespace, is_cluster_store=is_cluster_store)

    async def read(self, ref: RemoteRef) -> Document:
        if not ref.key:
            raise InvalidEntry("remoteRef.key is empty: it is the name of a Secret")
        return Document(ref.key, await self._requests.secret(self._namespace, ref.key))

    def select(self, document: Document, ref: RemoteRef) -> bytes:
        return select(document, ref)

    def select_map(self, document: Document, ref: RemoteRef) -> dict[str, bytes]:
        return select_map(document, ref)

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        selector = ""
        matches: Callable[[str], bool] | None = None
        if find.tags is not None:  # none at all are on every Secret
            selector = _selector(find.tags)
        elif find.name_regexp is not None:
            matches = name_matcher(find.name_regexp)
        else:
            raise NotSupported("unexpected find operator: set find.name.regexp or find.tags")
        try:
            listed = await self._requests.counted(
                "ListSecrets", lambda: self._cluster.list_all(SECRET, self._namespace, label_selector=selector)
            )
        except (ProviderError, NotFound) as exc:
            known = exc if isinstance(exc, ProviderError) else translated(exc)
            raise type(known)(f"unable to list secrets: {exc}", kind=known.kind, retryable=known.retryable) from exc
        found: dict[str, bytes] = {}
        for secret in listed.items:
            name = secret["metadata"]["name"]
            if matches is None or matches(name):
                found[name] = data_text(data_of(secret))
        return found

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        await self._writer.push(values, data)

    async def delete_secret(self, ref: RemoteRef) -> None:
        await self._writer.delete(ref)

    async def secret_exists(self, ref: RemoteRef) -> bool:
        return await self._writer.exists(ref)

    async def is_object(self, ref: RemoteRef, uid: str) -> bool:
        return await self._writer.is_object(ref, uid)

    async def validate(self) -> Validation:
        try:
            allowed = await self._rules_allow() or await self._access_allows()
        except (ProviderError, NotFound) as exc:
            error = exc if isinstance(exc, ProviderError) else translated(exc)
            message = f"could not verify if client is valid: {error}"
            return Validation(
                ValidationState.UNKNOWN, ProviderError(message, kind=error.kind, retryable=error.retryable)
            )
        if not allowed:
            raise AccessDenied(
                f'client is not allowed to get secrets: grant "get" on secrets in namespace "{self._namespace}" to the '
                "user of this store",
                retryable=True,  # nothing tells when the rights are there, and asking for them costs nothing
            )
        return Validation()

    async def _rules_allow(self) -> bool:
        answer = await self._review("SelfSubjectRulesReview", {"namespace": self._namespace})
        return any(_covers(rule) for rule in (answer.get("status") or {}).get("resourceRules") or ())

    async def _access_allows(self) -> bool:
        """Some API servers give incomplete rules, so the second question decides."""
        attributes = {"namespace": self._namespace, "verb": "get", "resource": "secrets"}
        answer = await self._review("SelfSubjectAccessReview", {"resourceAttributes": attributes})
        return bool((answer.get("status") or {}).get("allowed"))

    async def _review(self, kind: str, spec: JsonObject) -> JsonObject:
        body = orjson.dumps({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec})
        raw = await self._requests.counted(
            f"Create{kind}", lambda: self._cluster.raw("POST", f"{_REVIEWS}/{kind.lower()}s", body=body)
        )
        answer: JsonObject = orjson.loads(raw)
        return answer

    async def aclose(self) -> None:
        await self._cluster.aclose()

    def __repr__(self) -> str:
        return f"KubernetesClient({self._cluster.config.server!r}, namespace={self._namespace!r})"


def _selector(tags: Mapping[str, str]) -> str:
    try:
        return str(LabelSelector.from_object({"matchLabels": dict(tags)}))
    except SelectorError as exc:
        raise InvalidEntry(f"unable to validate selector tags: {exc}") from exc


def _covers(rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets its subject read Secrets; no groups at all count as the core group, as some servers say it."""
    resources, verbs, groups = (rule.get(name) or () for name in ("resources", "verbs", "apiGroups"))
    return (
        bool({"secrets", "*"} & set(resources))
        and bool({"get", "*"} & set(verbs))
        and (not groups or bool({"", "*"} & set(groups)))
    )


class UnboundClient(SecretsClient):
    """A store whose credentials come with its consumers, while there is no consumer: it can be neither used nor checked."""

    async def get_secret(self, ref: RemoteRef) -> bytes:
        raise self._nobody()

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        raise self._nobody()

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        raise self._nobody()

    async def validate(self) -> Validation:
        return Validation(ValidationState.UNKNOWN)

    def _nobody(self) -> ProviderError:
        return InvalidSpec("the credentials of this store come from the namespace of its consumer, and there is none")
