"""VaultDynamicSecret: what any path of the Vault API answers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from eso_core.model import Model, Schema
from generators.errors import GeneratorFailed, InvalidGenerator
from generators.interface import Generated, Generator, GeneratorContext, JsonObject
from generators.spec import GeneratorSpec
from providers.errors import ProviderError
from providers.gojson import JsonValue, Number, encode, map_value_bytes, value_bytes
from providers.vault import connect
from providers.vault.http import Answer
from providers.vault.spec import VaultSpec

__all__ = ["VaultDynamicSecretGenerator", "VaultDynamicSecretSpec"]

_AUTH: dict[str, JsonValue] = {
    "client_token": "", "accessor": "", "policies": None, "token_policies": None, "identity_policies": None, "metadata": None,
    "orphan": False, "entity_id": "", "lease_duration": 0, "renewable": False, "mfa_requirement": None,
}  # fmt: skip
"""Members of `auth`, and what they are where Vault leaves them out."""

_RAW: dict[str, JsonValue] = {
    "request_id": "", "lease_id": "", "lease_duration": 0, "renewable": False, "data": None, "warnings": None,
}  # fmt: skip
_RAW_OPTIONAL = ("auth", "wrap_info", "mount_type")


class RetrySettings(Model):
    """When requests are tried again."""

    max_retries: Annotated[int | None, Schema(extra={"format": "int32"})] = Field(None, description="How often.")
    retry_interval: str | None = Field(None, description="How long to wait in between, such as 2s.")


class VaultDynamicSecretSpec(GeneratorSpec):
    """A request to Vault."""

    controller: str | None = Field(None, description="Class of the operator that works with it; empty for all.")
    provider: VaultSpec = Field(description="How to reach Vault, and how to log in.")
    path: str = Field(description="Path below /v1/.")
    method: str | None = Field(None, description="GET (default), LIST, DELETE; everything else writes.")
    parameters: Annotated[Any, Schema(replace=lambda: {"x-kubernetes-preserve-unknown-fields": True})] = Field(
        None, repr=False, description="Body of a write."
    )
    get_parameters: dict[str, list[str]] | None = Field(None, description="Query of a GET.")
    result_type: Literal["Data", "Auth", "Raw"] = Field("Data", description="Which part of the answer.")
    allow_empty_response: bool = Field(False, description="Whether an empty answer is no error.")
    retry_settings: RetrySettings | None = Field(None, description="When requests are tried again.")


class VaultDynamicSecretGenerator(Generator):
    """Asks Vault. The token is not revoked: with it, Vault would revoke what it has just issued."""

    kind: ClassVar[str] = "VaultDynamicSecret"
    plural: ClassVar[str] = "vaultdynamicsecrets"
    member: ClassVar[str] = "vaultDynamicSecretSpec"
    spec: ClassVar[type[GeneratorSpec]] = VaultDynamicSecretSpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        assert isinstance(spec, VaultDynamicSecretSpec)
        settings = spec.retry_settings
        retry: JsonObject = {} if settings is None else settings.model_dump(by_alias=True, exclude_none=True)
        try:
            connection = await connect(spec.provider, ctx.store_context(retry))
        except ProviderError as exc:
            raise GeneratorFailed(
                f"unable to setup Vault client: {exc}", kind=exc.kind, retryable=exc.retryable
            ) from exc
        try:
            method, query, body = _request(spec)
            answer = await connection.request(method, spec.path, call="WriteSecretData", query=query, body=body)
        finally:
            await connection.http.aclose()
        return Generated(_result(spec, answer), lifetime=_lifetime(answer))


def _request(
    spec: VaultDynamicSecretSpec,
) -> tuple[str, dict[str, list[str]] | None, dict[str, JsonValue] | None]:
    """Method, query and body."""
    match spec.method or "GET":
        case "GET":
            return "GET", spec.get_parameters, None
        case "LIST":
            return "GET", {"list": ["true"]}, None
        case "DELETE":
            return "DELETE", None, None
        case _:
            body = spec.parameters if spec.parameters is not None else {}
            if not isinstance(body, dict):
                raise InvalidGenerator("spec.parameters must be an object")
            return "PUT", None, body


def _result(spec: VaultDynamicSecretSpec, answer: Answer | None) -> dict[str, bytes]:
    if answer is None:
        if spec.allow_empty_response:
            return {}
        raise GeneratorFailed(
            "unable to get dynamic secret: empty response from Vault: set spec.allowEmptyResponse if that is right"
        )
    match spec.result_type:
        case "Auth":
            auth = answer.mapping("auth")
            return {} if auth is None else {name: _plain(_given(auth, name, absent)) for name, absent in _AUTH.items()}
        case "Raw":
            raw = {name: _plain(_given(answer.body, name, absent)) for name, absent in _RAW.items()}
            return raw | {name: _plain(answer.body[name]) for name in _RAW_OPTIONAL if answer.body.get(name)}
        case _:
            data = answer.mapping("data")
            if data is None and answer.mapping("auth") is not None and not spec.allow_empty_response:
                # A token was issued: an empty result would keep that a secret from everybody.
                raise GeneratorFailed(
                    "unable to get dynamic secret: empty response from Vault: it has no data but auth: set spec.resultType to Auth"
                )
            return {name: value_bytes(value) for name, value in (data or {}).items()}


def _lifetime(answer: Answer | None) -> float | None:
    """Of the lease or the token; a read of what is stored has a duration that means nothing, and no lease."""
    if answer is None:
        return None
    found = []
    if answer.body.get("lease_id"):
        found.append(answer.body.get("lease_duration"))
    if (auth := answer.mapping("auth")) is not None:
        found.append(auth.get("lease_duration"))
    seconds = [float(value.text) for value in found if isinstance(value, Number)]
    return min((value for value in seconds if value > 0), default=None)


def _given(part: dict[str, JsonValue], name: str, absent: JsonValue) -> JsonValue:
    value = part.get(name)
    return absent if value is None else value


def _plain(value: JsonValue) -> bytes:
    if isinstance(value, list | dict):
        return encode(value).encode()
    return map_value_bytes(value) if isinstance(value, Number) else value_bytes(value)
