"""`spec.provider.openBao`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eso_core.model import Model, Rule, Schema
from providers.spec import CAProvider, ProviderSpec, SecretKeySelector

__all__ = ["OpenBaoAppRole", "OpenBaoAuth", "OpenBaoSpec", "OpenBaoUserPass"]

_Required = Schema(required=True)


class OpenBaoAppRole(Model):
    """Log in with a role id and a secret id."""

    __schema__ = Schema(
        rules=(
            Rule(
                "[has(self.roleId),has(self.roleRef)].filter(x,x==true).size() == 1",
                "exactly one of roleId and roleRef must be set",
            ),
        )
    )

    path: Annotated[str, _Required] = Field("approle", description="Mount of the AppRole method.")
    role_id: Annotated[str | None, Schema(extra={"minLength": 1})] = Field(None, description="The role id.")
    role_ref: SecretKeySelector | None = Field(None, description="Secret with the role id, instead of roleId.")
    secret_ref: SecretKeySelector = Field(description="Secret with the secret id.")


class OpenBaoUserPass(Model):
    """Log in with a user of the server."""

    path: Annotated[str, _Required] = Field("userpass", description="Mount of the userpass method.")
    username: str = Field(description="User name.")
    secret_ref: SecretKeySelector | None = Field(None, description="Secret with the password.")


class OpenBaoAuth(Model):
    """How to log in: exactly one method."""

    __schema__ = Schema(
        rules=(
            Rule(
                "[has(self.appRole),has(self.tokenSecretRef),has(self.userPass)].filter(x,x==true).size() == 1",
                "exactly one of appRole, tokenSecretRef and userPass must be set",
            ),
        )
    )

    namespace: str | None = Field(None, description="Namespace of the server for the login only.")
    token_secret_ref: SecretKeySelector | None = Field(None, description="A token, used as it is.")
    app_role: OpenBaoAppRole | None = Field(None, description="AppRole.")
    user_pass: OpenBaoUserPass | None = Field(None, description="A user of the server.")


class OpenBaoSpec(ProviderSpec):
    """A KV engine of OpenBao, read only."""

    __schema__ = Schema(
        rules=(
            Rule(
                "[has(self.caBundle),has(self.caProvider)].filter(x,x==true).size() <= 1",
                "at most one of caBundle and caProvider may be set",
            ),
        )
    )

    server: str = Field(description="URL of the server, such as https://openbao.example.org:8200.")
    path: str | None = Field(None, description="Mount of the KV engine (default kv).")
    version: Literal["v1", "v2"] = Field("v2", description="Version of the KV engine.")
    namespace: str | None = Field(None, description="Namespace of the server.")
    auth: OpenBaoAuth | None = Field(None, description="How to log in. Without it, requests carry no token.")
    ca_bundle: Annotated[str | None, Schema(extra={"format": "byte"})] = Field(
        None, description="CA certificates of the server, PEM in base64."
    )
    ca_provider: CAProvider | None = Field(None, description="Where the CA certificates are kept, instead of caBundle.")
