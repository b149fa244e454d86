"""From a request to the user behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from eso_core.testing.apiserver.authn.user import ANONYMOUS, AUTHENTICATED, User
from eso_core.testing.apiserver.errors import unauthorized
from eso_core.testing.apiserver.http.message import Request

_BEARER: Final = "bearer "
_CERTIFICATES: Final = 256


class Authenticator:
    """Tries the bearer token (static tokens, then ``tokens``), then the client certificate, then anonymous."""

    def __init__(self, static: Mapping[str, User], *, anonymous: bool, tokens: Callable[[str], User | None]) -> None:
        self._static = dict(static)
        self._anonymous = anonymous
        self._tokens = tokens
        self._certificates: dict[bytes, User] = {}

    def add(self, token: str, user: User) -> None:
        """Accept one more static token."""
        self._static[token] = user

    def static_user(self, token: str) -> User | None:
        """The user of a static token, or None when it is not one."""
        return self._static.get(token)

    def user(self, request: Request) -> User:
        """Who asks. Raises `StatusError` 401 for a bad token, or for no credentials when those are demanded."""
        header = request.header("authorization")
        if header[:7].lower() == _BEARER and header[7:].strip():
            found = self.token_user(header[7:].strip())
            if found is None:
                raise unauthorized()
            return found
        if request.peer_certificate:
            return self._certificate_user(request.peer_certificate)
        if not self._anonymous:
            raise unauthorized()
        return ANONYMOUS

    def token_user(self, token: str) -> User | None:
        """The user of a bearer token, or None when it is no good."""
        return self._static.get(token) or self._tokens(token)

    def _certificate_user(self, der: bytes) -> User:
        # The TLS layer has verified the certificate against our authority.
        found = self._certificates.get(der)
        if found is None:
            subject = x509.load_der_x509_certificate(der).subject
            names = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
            groups = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
            found = User(names[0] if names else "", groups=(*groups, AUTHENTICATED))
            if len(self._certificates) >= _CERTIFICATES:
                self._certificates.clear()
            self._certificates[der] = found
        return found
