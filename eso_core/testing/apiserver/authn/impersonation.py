"""Acting as someone else: the Impersonate headers and who may use them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from eso_core.testing.apiserver.authn.user import AUTHENTICATED, UNAUTHENTICATED, User
from eso_core.testing.apiserver.authz.attributes import Attributes, refusal
from eso_core.testing.apiserver.authz.rbac import Rbac
from eso_core.testing.apiserver.errors import bad_request
from eso_core.testing.apiserver.http.message import Request
from eso_core.testing.apiserver.schema.gotext import quote

_EXTRA: Final = "impersonate-extra-"
_ACCOUNT: Final = "system:serviceaccount:"
_AUTHENTICATION: Final = "authentication.k8s.io"
_ANONYMOUS: Final = "system:anonymous"


def account_groups(name: str) -> tuple[str, ...]:
    """The groups of a service account by its user name; none for other users."""
    parts = name.split(":")
    if not name.startswith(_ACCOUNT) or len(parts) != 4:
        return ()
    return ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}")


def wanted_user(request: Request) -> User | None:
    """The user that the headers name, before groups are completed. Raises `StatusError` 400."""
    name = request.header("impersonate-user")
    groups = tuple(part.strip() for part in request.header("impersonate-group").split(",") if part.strip())
    uid = request.header("impersonate-uid")
    extra = {
        unquote(key[len(_EXTRA) :]).lower(): tuple(part.strip() for part in value.split(","))
        for key, value in request.headers.items()
        if key.startswith(_EXTRA)
    }
    if not (name or groups or uid or extra):
        return None
    if not name:
        shown = ", ".join(map(quote, groups))
        listed = f"[]string{{{shown}}}" if groups else "[]string(nil)"
        text = f'&user.DefaultInfo{{Name:"", UID:{quote(uid)}, Groups:{listed}, Extra:map[string][]string(nil)}}'
        raise bad_request(f"requested {text} without impersonating a user name")
    return User(name, uid, groups, extra)


def impersonate(user: User, wanted: User, asked: Attributes, rbac: Rbac) -> User:
    """The user to act as, when ``user`` may. ``asked`` is the request itself. Raises `StatusError` 403."""
    if not _allowed_classic(user, wanted, rbac):
        _check_constrained(user, wanted, asked, rbac)
    groups = list(wanted.groups or account_groups(wanted.name))
    if wanted.name != _ANONYMOUS:
        if AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
            groups.append(AUTHENTICATED)
    elif UNAUTHENTICATED not in groups:
        groups.append(UNAUTHENTICATED)
    return replace(wanted, groups=tuple(groups))


def _identity(user: User, wanted: User, verb: str) -> list[Attributes]:
    """The rights over identities that an impersonation needs."""
    found: list[Attributes] = []
    if account_groups(wanted.name):
        namespace, name = wanted.name.split(":")[2:4]
        found.append(Attributes(user, verb, "", "v1", "serviceaccounts", namespace=namespace, name=name))
    else:
        found.append(Attributes(user, verb, "", "v1", "users", name=wanted.name))
    found += [Attributes(user, verb, "", "v1", "groups", name=group) for group in wanted.groups]
    if wanted.uid:
        found.append(Attributes(user, verb, _AUTHENTICATION, "v1", "uids", name=wanted.uid))
    for key, values in wanted.extra.items():
        found += [
            Attributes(user, verb, _AUTHENTICATION, "v1", "userextras", subresource=key, name=value) for value in values
        ]
    return found


def _allowed_classic(user: User, wanted: User, rbac: Rbac) -> bool:
    return all(rbac.decide(asked) is not None for asked in _identity(user, wanted, "impersonate"))


def _check_constrained(user: User, wanted: User, asked: Attributes, rbac: Rbac) -> None:
    mode = "serviceaccount" if account_groups(wanted.name) else "user-info"
    action = replace(asked, user=user, verb=f"impersonate-on:{mode}:{asked.verb}")
    if rbac.decide(action) is None:
        raise refusal(replace(action, name="") if not asked.name else action)
    for needed in _identity(user, wanted, f"impersonate:{mode}"):
        if rbac.decide(needed) is None:
            raise refusal(needed)
