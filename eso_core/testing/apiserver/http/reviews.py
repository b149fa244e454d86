"""Resources that are answered and not stored: token requests, token reviews, access reviews."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from eso_core.aio import Clock
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.authn.tokens import ISSUER, TokenIssuer, TokenRefused
from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.authz.attributes import Attributes
from eso_core.testing.apiserver.authz.rbac import Rbac
from eso_core.testing.apiserver.builtin import protobuf, schemas
from eso_core.testing.apiserver.builtin.decode import WrongType, decode, normalize
from eso_core.testing.apiserver.builtin.discovery import REVIEWS
from eso_core.testing.apiserver.errors import FieldError, StatusError, bad_request
from eso_core.testing.apiserver.http.accept import negotiate
from eso_core.testing.apiserver.http.message import YAML, Request, Response, warning_headers
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.rest import body as bodies
from eso_core.testing.apiserver.rest.options import IGNORE, STRICT, write_options
from eso_core.testing.apiserver.rest.view import encode_object, to_yaml
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import Rendered, struct_json
from eso_core.testing.apiserver.storage.store import Store

JsonObject = dict[str, Any]

_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"
_MIN_SECONDS: Final = 600
_MAX_SECONDS: Final = 1 << 32
_HOUR: Final = 3600


class Reviews:
    """Answers reviews. ``token_user`` finds the user of a static token."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rbac: Rbac,
        tokens: TokenIssuer,
        static_user: Callable[[str], User | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rbac = rbac
        self._tokens = tokens
        self._static_user = static_user

    def handle(self, request: Request, target: Target, verb: str, user: User) -> Response | None:
        """The answer to a review request, None when the target is no review. Raises `StatusError`."""
        entry = next((item for item in REVIEWS.get(target.group, ()) if item["name"] == target.resource), None)
        if entry is None:
            return None
        if target.name or bool(target.namespace) != entry["namespaced"]:
            raise errors.resource_not_found()
        if verb != "create":
            raise errors.method_not_allowed()
        kind: str = entry["kind"]
        media, obj, warnings = self._read(request, target.group, kind)
        if target.namespace:
            _take_namespace(obj["metadata"], target.namespace)
        match kind:
            case "TokenReview":
                status = self._token_review(obj)
            case "SelfSubjectReview":
                obj["metadata"]["creationTimestamp"] = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
                status = {"userInfo": user.to_object()}
            case "SelfSubjectRulesReview":
                status = self._rules_review(obj, user)
            case _:
                status = self._access_review(kind, obj, user, target.namespace)
        if not entry["namespaced"]:
            obj["metadata"].pop("namespace", None)
        obj["status"] = status
        return self._answer(target.group, kind, media, obj, warnings)

    # -- bodies

    def _now(self) -> datetime:
        return self._clock.now()

    def _read(self, request: Request, group: str, kind: str) -> tuple[str, JsonObject, list[str]]:
        representation = negotiate(request.header("accept"), False, ())
        options = write_options(request.query, "CreateOptions")
        media = bodies.check_media(request.header("content-type"))
        complaints: list[str] = []
        if media == bodies.PROTOBUF:
            try:
                raw = protobuf.decode(request.body)
            except protobuf.ProtobufError as error:
                raise bad_request(str(error)) from error
        else:
            read = bodies.read_object(request.body, media, kind)
            raw, complaints = read.value, read.duplicates
        found = schemas.type_for(group, "v1", kind)
        if found is None:
            raise errors.resource_not_found()
        given = raw.get("kind") or kind
        if given != kind:
            raise _wrong_kind(group, kind, given, raw.get("apiVersion") or f"{group}/v1")
        try:
            obj, unknown = decode(found, raw)
        except WrongType as error:
            raise bad_request(f'{kind} in version "v1" cannot be handled as a {kind}: {error}') from error
        complaints = [*complaints, *unknown]
        if complaints and options.field_validation == STRICT:
            shown = f'{kind} in version "v1" cannot be handled as a {kind}'
            raise bad_request(f"{shown}: strict decoding error: {', '.join(complaints)}")
        obj.setdefault("metadata", {})
        obj.setdefault("spec", {})
        return representation.media, obj, [] if options.field_validation == IGNORE else complaints

    @staticmethod
    def _answer(group: str, kind: str, media: str, obj: JsonObject, warnings: list[str]) -> Response:
        found = schemas.type_for(group, "v1", kind)
        if found is not None:
            obj = normalize(found, obj)
        obj = {"kind": kind, "apiVersion": f"{group}/v1", **obj}
        if kind == "SelfSubjectReview":
            obj.pop("spec", None)
        body = to_yaml(obj) if media == YAML else encode_object(obj)
        return Response(201, body, media, warning_headers(warnings))

    # -- tokens

    def token_request(self, request: Request, target: Target) -> Response:
        """A new token of a service account. Raises `StatusError`."""
        media, obj, warnings = self._read(request, _AUTHENTICATION, "TokenRequest")
        meta, spec = obj["metadata"], obj["spec"]
        self._check_request_identity(meta, target)
        account = self._store.table("serviceaccounts").get(f"{target.namespace}/{target.name}")
        if account is None:
            raise errors.not_found("serviceaccounts", "", target.name)
        audiences = spec.get("audiences") or [ISSUER]
        seconds = spec.get("expirationSeconds") or _HOUR
        found: list[FieldError] = []
        path = "spec.expirationSeconds"
        if seconds < _MIN_SECONDS:
            found.append(causes.invalid(path, seconds, "may not specify a duration less than 10 minutes"))
        elif seconds > _MAX_SECONDS:
            found.append(causes.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
        if found:
            raise errors.invalid("TokenRequest", _AUTHENTICATION, "", found)
        bound = self._bound_object(spec.get("boundObjectRef"), target.namespace)
        decoded = account.decode()
        token, expires = self._tokens.issue(decoded, audiences, seconds, bound)
        obj["spec"] = {**spec, "audiences": audiences, "expirationSeconds": seconds}
        obj["metadata"] = {
            **meta,
            "name": target.name,
            "namespace": target.namespace,
            "uid": account.uid,
            "creationTimestamp": self._now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        moment = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        obj["status"] = {"token": token, "expirationTimestamp": moment}
        return self._answer(_AUTHENTICATION, "TokenRequest", media, obj, warnings)

    @staticmethod
    def _check_request_identity(meta: JsonObject, target: Target) -> None:
        _take_namespace(meta, target.namespace)
        if meta.get("name") and meta["name"] != target.name:
            wrong = causes.invalid("metadata.name", meta["name"], "must match the service account name if specified")
            raise errors.invalid("TokenRequest", _AUTHENTICATION, target.name, [wrong])

    def _bound_object(self, reference: JsonObject | None, namespace: str) -> JsonObject | None:
        if not reference:
            return None
        kind, version, name = (reference.get(key, "") for key in ("kind", "apiVersion", "name"))
        if not name:
            raise bad_request("Name parameter required.")
        if kind in ("Pod", "Node") and version == "v1":
            raise errors.not_found(f"{kind.lower()}s", "", name)
        if kind != "Secret" or version != "v1":
            group, _, short = version.rpartition("/")
            raise bad_request(f"cannot bind token to object of type {group}/{short}, Kind={kind}")
        entry = self._store.table("secrets").get(f"{namespace}/{name}")
        if entry is None:
            raise errors.not_found("secrets", "", name)
        uid = reference.get("uid")
        if uid and uid != entry.uid:
            text = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise errors.conflict("Secret", "", name, text)
        return entry.decode()

    def _token_review(self, obj: JsonObject) -> JsonObject:
        spec = obj["spec"]
        token = spec.get("token")
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        audiences = spec.get("audiences") or [ISSUER]
        static = self._static_user(token)
        if static is not None:
            shared = [audience for audience in audiences if audience == ISSUER]
            if not shared:
                return {"user": {}, "error": "invalid bearer token"}
            return {"authenticated": True, "user": static.to_object(), "audiences": shared}
        try:
            user, shared = self._tokens.user(token, audiences)
        except TokenRefused as error:
            text = f"[invalid bearer token, {error}]" if str(error) else "invalid bearer token"
            return {"user": {}, "error": text}
        return {"authenticated": True, "user": user.to_object(), "audiences": shared}

    # -- access

    def _access_review(self, kind: str, obj: JsonObject, user: User, namespace: str) -> JsonObject:
        spec = obj["spec"]
        found = _access_errors(kind, spec, obj["metadata"], namespace)
        if found:
            raise errors.invalid("", _AUTHORIZATION, "", found)
        if kind == "SelfSubjectAccessReview":
            asking = user
        else:
            extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
            asking = User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)
        reason = self._rbac.decide(_attributes(spec, asking))
        if reason is None:
            return {"allowed": False}
        return {"allowed": True, "reason": reason} if reason else {"allowed": True}

    def _rules_review(self, obj: JsonObject, user: User) -> JsonObject:
        namespace = obj["spec"].get("namespace")
        if not namespace:
            raise bad_request("no namespace on request")
        resource_rules: list[JsonObject] = []
        path_rules: list[JsonObject] = []
        for rule in self._rbac.rules_for(user, namespace):
            if rule.get("nonResourceURLs"):
                path_rules.append({key: rule[key] for key in ("verbs", "nonResourceURLs")})
            else:
                keys = ("verbs", "apiGroups", "resources", "resourceNames")
                resource_rules.append({key: rule[key] for key in keys if rule.get(key)})
        return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}


def _attributes(spec: JsonObject, user: User) -> Attributes:
    paths = spec.get("nonResourceAttributes")
    if paths:
        return Attributes(user, paths.get("verb", ""), path=paths.get("path", ""))
    wanted = spec.get("resourceAttributes") or {}
    return Attributes(
        user,
        wanted.get("verb", ""),
        wanted.get("group", ""),
        wanted.get("version", ""),
        wanted.get("resource", ""),
        wanted.get("subresource", ""),
        wanted.get("namespace", ""),
        wanted.get("name", ""),
    )


def _paths_shown(paths: JsonObject) -> Rendered:
    return struct_json({"Path": paths.get("path", ""), "Verb": paths.get("verb", "")})


def _take_namespace(meta: JsonObject, namespace: str) -> None:
    if meta.get("namespace") and meta["namespace"] != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = namespace


def _wrong_kind(group: str, kind: str, given: str, api_version: str) -> StatusError:
    given_group, _, version = api_version.rpartition("/")
    shown = f'{given} in version "{version}" cannot be handled as a {kind}'
    if schemas.type_for(given_group, version, given) is not None:
        text = f"converting ({version}.{given}) to ({group.split('.')[0]}.{kind}): unknown conversion"
    else:
        text = f'no kind "{given}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:111"'
    return bad_request(f"{shown}: {text}")


def _access_errors(kind: str, spec: JsonObject, meta: JsonObject, namespace: str) -> list[FieldError]:
    found: list[FieldError] = []
    wanted, paths = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if wanted is not None and paths is not None:
        text = "cannot be specified in combination with resourceAttributes"
        found.append(causes.invalid("spec.nonResourceAttributes", _paths_shown(paths), text))
    if wanted is None and paths is None:
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(causes.invalid("spec.resourceAttributes", None, text))
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        found.append(causes.invalid("spec.user", "", "at least one of user or group must be specified"))
    local = kind == "LocalSubjectAccessReview"
    given_meta = {key: value for key, value in meta.items() if not (local and key == "namespace")}
    if given_meta:
        text = "must be empty except for namespace" if local else "must be empty"
        found.append(causes.invalid("metadata", meta, text))
    if local:
        given = (wanted or {}).get("namespace", "")
        if wanted is not None and given != namespace:
            text = "must match metadata.namespace"
            found.append(causes.invalid("spec.resourceAttributes.namespace", given, text))
        if paths is not None:
            text = "disallowed on this kind of request"
            found.append(causes.invalid("spec.nonResourceAttributes", _paths_shown(paths), text))
    return found


__all__ = ["Reviews", "StatusError"]
