"""Tokens in Secrets: the older way to give a service account a token that does not expire."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from eso_core.testing.apiserver.authn.tokens import TokenIssuer
from eso_core.testing.apiserver.internal import InternalCalls
from eso_core.testing.apiserver.resources import ResourceRegistry
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]

TOKEN_TYPE: Final = "kubernetes.io/service-account-token"
_NAME: Final = "kubernetes.io/service-account.name"
_UID: Final = "kubernetes.io/service-account.uid"
_MARK: Final = TOKEN_TYPE.encode()


class SecretTokenController:
    """Fills Secrets of the token type, and deletes those whose account is gone."""

    def __init__(
        self,
        store: Store,
        registry: ResourceRegistry,
        calls: InternalCalls,
        issuer: Callable[[], TokenIssuer],
        ca_pem: Callable[[], str],
        schedule: Callable[[Callable[[], None]], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._calls = calls
        self._issuer = issuer
        self._ca_pem = ca_pem
        self._schedule = schedule
        self._pending: dict[str, None] = {}
        store.subscribe(self._on_change)

    def start(self) -> None:
        """Look at the Secrets that are there already."""
        for entry in list(self._store.table("secrets").entries()):
            if _MARK in entry.body:
                self._touch(entry.key)
        self.run()

    def _on_change(self, table: Table, change: Change) -> None:
        if table.path == "secrets" and not change.deleted and _MARK in change.current.body:
            self._touch(change.current.key)
        elif table.path == "serviceaccounts" and change.deleted:
            for entry in self._store.table("secrets").snapshot(self._store.revision, f"{change.current.namespace}/"):
                if _MARK in entry.body:
                    self._touch(entry.key)

    def _touch(self, key: str) -> None:
        if not self._pending:
            self._schedule(self.run)
        self._pending[key] = None

    @property
    def idle(self) -> bool:
        """Whether nothing is due."""
        return not self._pending

    def run(self) -> None:
        """Do what is due."""
        while self._pending:
            key = next(iter(self._pending))
            del self._pending[key]
            entry = self._store.table("secrets").get(key)
            if entry is not None:
                self._reconcile(entry)

    def _reconcile(self, entry: Entry) -> None:
        secret = entry.decode()
        meta = secret["metadata"]
        if secret.get("type") != TOKEN_TYPE or meta.get("deletionTimestamp"):
            return
        annotations = meta.get("annotations") or {}
        account = self._store.table("serviceaccounts").get(f"{entry.namespace}/{annotations.get(_NAME, '')}")
        if account is None or annotations.get(_UID, account.uid) != account.uid:
            resource = self._registry.find("", "v1", "secrets")
            if resource is not None:
                self._calls.delete(resource, entry)
            return
        data = secret.get("data") or {}
        wanted = {"ca.crt": self._ca_pem(), "namespace": entry.namespace}
        filled = {key: base64.b64encode(value.encode()).decode() for key, value in wanted.items()}
        if not data.get("token"):
            filled["token"] = base64.b64encode(self._token(account, entry.name).encode()).decode()
        if annotations.get(_UID) == account.uid and all(data.get(key) == value for key, value in filled.items()):
            return
        self._calls.update("", "v1", "secrets", entry.namespace, entry.name, _filled(filled, account.uid))

    def _token(self, account: Entry, secret: str) -> str:
        prefix = "kubernetes.io/serviceaccount/"
        claims = {
            "iss": "kubernetes/serviceaccount",
            f"{prefix}namespace": account.namespace,
            f"{prefix}secret.name": secret,
            f"{prefix}service-account.name": account.name,
            f"{prefix}service-account.uid": account.uid,
            "sub": f"system:serviceaccount:{account.namespace}:{account.name}",
        }
        return self._issuer().sign(claims)


def _filled(data: dict[str, str], uid: str) -> Callable[[JsonObject], JsonObject]:
    def change(obj: JsonObject) -> JsonObject:
        meta = dict(obj["metadata"])
        meta["annotations"] = {**(meta.get("annotations") or {}), _UID: uid}
        return {**obj, "metadata": meta, "data": {**(obj.get("data") or {}), **data}}

    return change
