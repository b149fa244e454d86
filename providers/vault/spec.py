"""`spec.provider.vault`: HashiCorp Vault and OpenBao."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eso_core.model import Model, Schema
from providers.spec import CAProvider, ProviderSpec, SecretKeySelector, ServiceAccountSelector

__all__ = [
    "AwsJwt",
    "AwsSecretRef",
    "CheckAndSet",
    "ClientTLS",
    "GcpSecretRef",
    "ServiceAccountToken",
    "VaultAppRole",
    "VaultAuth",
    "VaultCertAuth",
    "VaultGcpAuth",
    "VaultIamAuth",
    "VaultJwtAuth",
    "VaultKubernetesAuth",
    "VaultLdapAuth",
    "VaultSpec",
    "VaultUserPassAuth",
    "WorkloadIdentity",
]

_Required = Schema(required=True)


class VaultAppRole(Model):
    """Log in with a role id and a secret id."""

    path: Annotated[str, _Required] = Field("approle", description="Mount of the AppRole method.")
    role_id: str | None = Field(None, description="The role id.")
    role_ref: SecretKeySelector | None = Field(None, description="Secret with the role id, instead of roleId.")
    secret_ref: SecretKeySelector = Field(description="Secret with the secret id.")


class VaultKubernetesAuth(Model):
    """Log in with the token of a ServiceAccount."""

    mount_path: Annotated[str, _Required] = Field("kubernetes", description="Mount of the Kubernetes method.")
    role: str = Field(description="Vault role.")
    service_account_ref: ServiceAccountSelector | None = Field(None, description="ServiceAccount whose token is used.")
    secret_ref: SecretKeySelector | None = Field(None, description="Secret with a token; key `token` unless given.")


class VaultLdapAuth(Model):
    """Log in with a directory user."""

    path: Annotated[str, _Required] = Field("ldap", description="Mount of the LDAP method.")
    username: str = Field(description="User name.")
    secret_ref: SecretKeySelector | None = Field(None, description="Secret with the password.")


class VaultUserPassAuth(Model):
    """Log in with a Vault user."""

    path: Annotated[str, _Required] = Field("userpass", description="Mount of the userpass method.")
    username: str = Field(description="User name.")
    secret_ref: SecretKeySelector | None = Field(None, description="Secret with the password.")


class ServiceAccountToken(Model):
    """A token that is asked for at each login."""

    service_account_ref: ServiceAccountSelector = Field(description="Whose token.")
    audiences: list[str] | None = Field(
        None, description="Audiences; `vault` unless the field is there. Better given in serviceAccountRef."
    )
    expiration_seconds: Annotated[int | None, Schema(extra={"format": "int64"})] = Field(
        None, description="Lifetime asked for, in seconds (default 600)."
    )


class VaultJwtAuth(Model):
    """Log in with a JWT or OIDC token."""

    path: Annotated[str, _Required] = Field("jwt", description="Mount of the JWT method.")
    role: str | None = Field(None, description="Vault role.")
    secret_ref: SecretKeySelector | None = Field(None, description="Secret with the token.")
    kubernetes_service_account_token: ServiceAccountToken | None = Field(
        None, description="Token of a ServiceAccount, instead of secretRef."
    )


class VaultCertAuth(Model):
    """Log in with a TLS client certificate."""

    path: str = Field("cert", description="Mount of the certificate method.")
    vault_role: str | None = Field(None, description="Vault role; without it, Vault picks one.")
    client_cert: SecretKeySelector | None = Field(
        None, description="Secret with the certificate; key `tls.crt` unless given."
    )
    secret_ref: SecretKeySelector | None = Field(None, description="Secret with the key; key `tls.key` unless given.")


class AwsJwt(Model):
    """AWS credentials by web identity."""

    service_account_ref: ServiceAccountSelector | None = Field(
        None, description="ServiceAccount with the role annotation."
    )


class AwsSecretRef(Model):
    """AWS credentials from Secrets."""

    access_key_id_secret_ref: SecretKeySelector | None = Field(
        None, alias="accessKeyIDSecretRef", description="Access key id."
    )
    secret_access_key_secret_ref: SecretKeySelector | None = Field(None, description="Secret access key.")
    session_token_secret_ref: SecretKeySelector | None = Field(None, description="Session token.")


class VaultIamAuth(Model):
    """Log in as an AWS principal."""

    path: str | None = Field(None, description="Mount of the AWS method (default aws).")
    region: str | None = Field(None, description="AWS region (default us-east-1).")
    vault_role: str = Field(description="Vault role.")
    role: str | None = Field(None, description="AWS role to assume first.")
    external_id: str | None = Field(None, alias="externalID", description="External id for assuming the role.")
    vault_aws_iam_server_id: str | None = Field(
        None, alias="vaultAwsIamServerID", description="Server id header that Vault demands."
    )
    jwt: AwsJwt | None = Field(None, description="Web identity of a ServiceAccount.")
    secret_ref: AwsSecretRef | None = Field(None, description="Static credentials.")


class GcpSecretRef(Model):
    """A Google service account key from a Secret."""

    secret_access_key_secret_ref: SecretKeySelector | None = Field(None, description="The key file.")


class WorkloadIdentity(Model):
    """Google workload identity of a ServiceAccount."""

    service_account_ref: ServiceAccountSelector = Field(
        description="ServiceAccount bound to the Google service account."
    )
    cluster_location: str | None = Field(None, description="Location of the cluster.")
    cluster_name: str | None = Field(None, description="Name of the cluster.")
    cluster_project_id: str | None = Field(None, alias="clusterProjectID", description="Project of the cluster.")


class VaultGcpAuth(Model):
    """Log in as a Google principal."""

    path: str = Field("gcp", description="Mount of the GCP method.")
    role: str = Field(description="Vault role.")
    project_id: str | None = Field(None, alias="projectID", description="Google Cloud project.")
    location: str | None = Field(None, description="Location; not used.")
    secret_ref: GcpSecretRef | None = Field(None, description="Service account key.")
    workload_identity: WorkloadIdentity | None = Field(None, description="Workload identity.")
    service_account_ref: ServiceAccountSelector | None = Field(
        None, description="Asks for the identity of the node or pod."
    )


class VaultAuth(Model):
    """How to log in; the first method that is set, in the order of Vault's documentation of this provider, is used."""

    namespace: str | None = Field(None, description="Vault namespace of the login only.")
    token_secret_ref: SecretKeySelector | None = Field(None, description="A token, used as it is.")
    app_role: VaultAppRole | None = Field(None, description="AppRole.")
    kubernetes: VaultKubernetesAuth | None = Field(None, description="ServiceAccount token.")
    ldap: VaultLdapAuth | None = Field(None, description="LDAP user.")
    user_pass: VaultUserPassAuth | None = Field(None, description="Vault user.")
    jwt: VaultJwtAuth | None = Field(None, description="JWT or OIDC.")
    cert: VaultCertAuth | None = Field(None, description="TLS client certificate.")
    iam: VaultIamAuth | None = Field(None, description="AWS IAM.")
    gcp: VaultGcpAuth | None = Field(None, description="Google Cloud.")


class ClientTLS(Model):
    """A client certificate for the connection itself."""

    cert_secret_ref: SecretKeySelector | None = Field(None, description="Certificate; key `tls.crt` unless given.")
    key_secret_ref: SecretKeySelector | None = Field(None, description="Key; key `tls.key` unless given.")


class CheckAndSet(Model):
    """Guarded writes of KV version 2."""

    required: bool | None = Field(None, description="Write only if the version is the one that was read.")


class VaultSpec(ProviderSpec):
    """A KV engine of HashiCorp Vault or OpenBao."""

    server: str = Field(description="URL of the server, such as https://vault.example.org:8200.")
    path: str | None = Field(
        None, description="Mount of the KV engine, such as `secret`. Without it, keys begin with the mount."
    )
    version: Literal["v1", "v2"] = Field("v2", description="Version of the KV engine.")
    namespace: str | None = Field(None, description="Vault namespace.")
    auth: VaultAuth | None = Field(None, description="How to log in. Without it, requests carry no token.")
    ca_bundle: Annotated[str | None, Schema(extra={"format": "byte"})] = Field(
        None, description="CA certificates of the server, PEM in base64."
    )
    ca_provider: CAProvider | None = Field(None, description="Where the CA certificates are kept, instead of caBundle.")
    tls: ClientTLS | None = Field(None, description="Client certificate for mutual TLS.")
    headers: dict[str, str] | None = Field(None, repr=False, description="Headers to add to each request.")
    read_your_writes: bool | None = Field(
        None, description="Follow the replication state, so that own writes are seen on every replica."
    )
    forward_inconsistent: bool | None = Field(
        None, description="Let replicas that lag behind forward requests to the active node."
    )
    check_and_set: CheckAndSet | None = Field(None, description="Guarded writes.")
