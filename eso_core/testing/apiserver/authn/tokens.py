"""Service account tokens: signed, checked against the objects they are bound to, published as JWKS."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from eso_core.aio import Clock
from eso_core.testing.apiserver.authn.impersonation import account_groups
from eso_core.testing.apiserver.authn.user import AUTHENTICATED, User
from eso_core.testing.apiserver.storage.store import Store

JsonObject = dict[str, Any]

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
_CACHE: Final = 4096


class TokenRefused(Exception):
    """The token is no good; the text says why, and is empty when it is not one of ours."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TokenIssuer:
    """Signs and checks tokens with one RSA key, which is made when first needed.

    ``key_made`` is called with its PEM text then, so that it can be kept.
    """

    def __init__(self, store: Store, clock: Clock, key_pem: str, key_made: Callable[[str], None]) -> None:
        self._store = store
        self._clock = clock
        self._key: rsa.RSAPrivateKey | None = None
        self._key_made = key_made
        self._verified: dict[str, JsonObject] = {}
        self._kid = ""
        if key_pem:
            loaded = serialization.load_pem_private_key(key_pem.encode(), None)
            if isinstance(loaded, rsa.RSAPrivateKey):
                self._use(loaded)

    def _use(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._kid = _encode(hashlib.sha256(der).digest())

    def _private_key(self) -> rsa.RSAPrivateKey:
        if self._key is None:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self._use(key)
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            self._key_made(pem.decode())
            return key
        return self._key

    # -- documents

    def jwks(self) -> JsonObject:
        """The public key as a JSON Web Key Set."""
        numbers = self._private_key().public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        key = {
            "use": "sig",
            "kty": "RSA",
            "kid": self._kid,
            "alg": "RS256",
            "n": _encode(numbers.n.to_bytes(size, "big")),
            "e": _encode(numbers.e.to_bytes(3, "big")),
        }
        return {"keys": [key]}

    @staticmethod
    def configuration(address: str) -> JsonObject:
        """The OpenID discovery document."""
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{address}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    # -- issuing

    def issue(
        self, account: JsonObject, audiences: list[str], seconds: int, bound: JsonObject | None
    ) -> tuple[str, int]:
        """A token of a service account object, and when it expires (Unix seconds).

        ``bound`` is the Secret it is bound to, if any.
        """
        meta = account["metadata"]
        now = int(self._clock.now().timestamp())
        private: JsonObject = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound is not None:
            private["secret"] = {"name": bound["metadata"]["name"], "uid": bound["metadata"]["uid"]}
        claims = {
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return self.sign(claims), now + seconds

    def sign(self, claims: JsonObject) -> str:
        """Any claims as a token of this server."""
        key = self._private_key()
        head = _encode(orjson.dumps({"alg": "RS256", "kid": self._kid}))
        signed = f"{head}.{_encode(orjson.dumps(claims))}"
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encode(signature)}"

    # -- checking

    def user(self, token: str, audiences: list[str]) -> tuple[User, list[str]]:
        """The user of a token and the audiences it shares with ``audiences``. Raises `TokenRefused`."""
        claims = self._claims(token)
        now = self._clock.now().timestamp()
        if now >= claims.get("exp", now + 1):
            raise TokenRefused("service account token has expired")
        if now + 10 < claims.get("nbf", 0):
            raise TokenRefused("service account token is not valid yet")
        given = claims.get("aud") or []
        shared = [audience for audience in audiences if audience in given]
        if claims.get("iss") != ISSUER:
            # Tokens in Secrets are good for the server itself and name no audience.
            given = [ISSUER]
            shared = [audience for audience in audiences if audience == ISSUER]
        if not shared:
            raise TokenRefused(
                f"token audiences {_listed(given)} is invalid for the target audiences {_listed(audiences)}"
            )
        return self._account_user(claims), shared

    def _claims(self, token: str) -> JsonObject:
        found = self._verified.get(token)
        if found is not None:
            return found
        if self._key is None:
            raise TokenRefused("")
        head, _, signature = token.rpartition(".")
        if head.count(".") != 1:
            raise TokenRefused("")
        try:
            kind = orjson.loads(_decode(head.partition(".")[0]))
            claims = orjson.loads(_decode(head.partition(".")[2]))
            if kind.get("alg") != "RS256":
                raise TokenRefused("")
            public = self._key.public_key()
            public.verify(_decode(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, InvalidSignature, AttributeError) as error:
            raise TokenRefused("") from error
        if not isinstance(claims, dict):
            raise TokenRefused("")
        if len(self._verified) >= _CACHE:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def _account_user(self, claims: JsonObject) -> User:
        private = claims.get("kubernetes.io") or _older_claims(claims)
        namespace = private.get("namespace", "")
        account = private.get("serviceaccount") or {}
        name, uid = account.get("name", ""), account.get("uid", "")
        entry = self._store.table("serviceaccounts").get(f"{namespace}/{name}")
        if entry is None:
            raise TokenRefused(f'serviceaccounts "{name}" not found')
        if entry.uid != uid:
            raise TokenRefused(f"service account UID ({entry.uid}) does not match claim ({uid})")
        secret = private.get("secret")
        if secret:
            bound = self._store.table("secrets").get(f"{namespace}/{secret.get('name')}")
            if bound is None or bound.uid != secret.get("uid", bound.uid):
                raise TokenRefused("service account token has been invalidated")
        user = f"system:serviceaccount:{namespace}:{name}"
        extra = {_CREDENTIAL: (f"JTI={claims['jti']}",)} if claims.get("jti") else {}
        return User(user, uid, (*account_groups(user), AUTHENTICATED), extra)


def _older_claims(claims: JsonObject) -> JsonObject:
    """The claims of a token in a Secret, in the form of today's."""
    prefix = "kubernetes.io/serviceaccount/"
    account = {key: claims.get(f"{prefix}service-account.{key}", "") for key in ("name", "uid")}
    secret = {"name": claims.get(f"{prefix}secret.name", "")}
    return {"namespace": claims.get(f"{prefix}namespace", ""), "serviceaccount": account, "secret": secret}


def _listed(values: list[str]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"
