"""Cases that went wrong for users of the original: templates, generators, references."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.api.backends import described_backends
from eso_core.meta import GVK
from eso_core.meta.wellknown import SECRET
from tests.integration.operator.harness import CSS, ES, SS, JsonObject, running

CONFIG = GVK("", "v1", "ConfigMap")
GENERATORS = "generators.external-secrets.io/v1alpha1"


async def test_keys_of_an_earlier_spec_do_not_survive_a_template() -> None:
    """B002: what the template does not name goes."""
    async with running() as cluster:
        await cluster.fake({"m": '{"A":"1","B":"2"}'})
        await cluster.es("app", dataFrom=[{"extract": {"key": "m"}}])
        await cluster.has_data("app", {"A": "1", "B": "2"})
        await cluster.patch(ES, "app", {"spec": {"target": {"template": {"data": {"only": "{{ .A }}"}}}}})
        await cluster.has_data("app", {"only": "1"})


async def test_an_immutable_target_is_written_once() -> None:
    """B007: a generator and a template, refreshed again and again: the first value stays, and nothing complains."""
    async with running() as cluster:
        metadata = {"name": "p", "namespace": "t"}
        await cluster.client.create({"apiVersion": GENERATORS, "kind": "Password", "metadata": metadata, "spec": {}})
        reference = {"generatorRef": {"apiVersion": GENERATORS, "kind": "Password", "name": "p"}}
        await cluster.es(
            "app",
            refreshInterval="1s",
            dataFrom=[{"sourceRef": reference}],
            target={"immutable": True, "template": {"data": {"url": "x:{{ .password }}"}}},
        )
        await cluster.synced("app")
        first = await cluster.get(SECRET, "app")
        assert first is not None and first["immutable"] is True

        async def refreshed() -> bool:
            return cluster.requests("patch", resource="externalsecrets") >= 5

        await cluster.eventually(refreshed)
        assert await cluster.get(SECRET, "app") == first
        assert (await cluster.ready("app"))["status"] == "True"
        assert [event for event in await cluster.events("app") if event[0] == "Warning"] == []


async def test_a_changed_source_of_a_template_renders_anew_with_one_read() -> None:
    """B019: within seconds, not at the next interval."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tpl", "namespace": "t"}}
        await cluster.client.create({**body, "data": {"f": "one {{ .v }}"}})
        source = {"configMap": {"name": "tpl", "items": [{"key": "f"}]}}
        await cluster.es(
            "app",
            data=[{"secretKey": "v", "remoteRef": {"key": "k"}}],
            target={"template": {"templateFrom": [source]}},
        )
        await cluster.has_data("app", {"f": "one 1"})
        reads = len(cluster.probe.reads)
        await cluster.patch(CONFIG, "tpl", {"data": {"f": "two {{ .v }}"}})
        await cluster.has_data("app", {"f": "two 1"}, within=5)
        assert len(cluster.probe.reads) - reads <= 1


@pytest.mark.parametrize(
    "template",
    [
        {
            "type": "kubernetes.io/service-account-token",
            "metadata": {"annotations": {"kubernetes.io/service-account.name": "admin"}},
        },
        {
            "type": "kubernetes.io/service-account-token",
            "templateFrom": [{"target": "Annotations", "literal": "kubernetes.io/service-account.name: admin"}],
        },
        {"type": "bootstrap.kubernetes.io/token"},
    ],
)
async def test_a_secret_that_mints_tokens_is_refused(template: JsonObject) -> None:
    """B027: whoever may write ExternalSecrets must not become anybody."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=[{"secretKey": "v", "remoteRef": {"key": "k"}}], target={"template": template})

        async def refused() -> None:
            assert (await cluster.ready("app"))["status"] == "False"

        await cluster.eventually(refused)
        await cluster.quiet()
        assert await cluster.get(SECRET, "app") is None


async def test_the_same_type_without_an_account_is_allowed() -> None:
    """B027: the annotation is what makes the token."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        template = {"type": "kubernetes.io/service-account-token"}
        await cluster.es("app", data=[{"secretKey": "v", "remoteRef": {"key": "k"}}], target={"template": template})

        async def tried() -> None:
            # A real API server refuses such a Secret itself; ours is asked to write it.
            assert cluster.requests("create", resource="secrets") >= 1

        await cluster.eventually(tried)


def _empty_auth(schema: JsonObject) -> JsonObject:
    """A spec with everything that the schema requires at its emptiest, and the login left empty."""
    made: JsonObject = {}
    for name in schema.get("required") or ():
        made[name] = _emptiest(schema["properties"][name])
    if "auth" in schema.get("properties", {}):
        made["auth"] = {}
    return made


def _emptiest(schema: JsonObject) -> Any:
    match schema.get("type"):
        case "object":
            return {name: _emptiest(schema["properties"][name]) for name in schema.get("required") or ()}
        case "array":
            return []
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case _:
            return (schema.get("enum") or ["x"])[0]


async def test_an_empty_login_and_an_empty_key_are_conditions_and_hurt_nobody_else() -> None:
    """B086: for every backend that the API server admits like this; the others go on."""
    specs = {
        "vault": {"server": "http://127.0.0.1:9", "auth": {}},
        "kubernetes": {"server": {"url": "https://127.0.0.1:9"}, "auth": {}},
        "openBao": {"server": "http://127.0.0.1:9"},
        "webhook": {"url": "", "result": {}},
        **{name: _empty_auth(schema) for name, schema in described_backends("v1").items()},
    }
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        admitted = []
        for name, spec in specs.items():
            body = {
                "apiVersion": SS.api_version,
                "kind": SS.kind,
                "metadata": {"name": name.lower(), "namespace": "t"},
                "spec": {"provider": {name: spec}},
            }
            try:
                await cluster.client.create(body)
            except Exception as error:
                assert "Invalid" in type(error).__name__
                continue
            admitted.append(name.lower())
        assert {"vault", "openbao", "webhook"} <= set(admitted) and len(admitted) > 10
        await cluster.es("empty", data=[{"secretKey": "v", "remoteRef": {"key": ""}}])
        for name in admitted:
            await cluster.es(name, secretStoreRef={"name": name}, data=[{"secretKey": "v", "remoteRef": {"key": ""}}])

        async def all_told() -> None:
            for name in admitted:
                store, user = await cluster.ready(name, kind=SS), await cluster.ready(name)
                assert store["status"] == "False" and store["message"], (name, store)
                assert user["status"] == "False", (name, user)

        await cluster.eventually(all_told, within=20)
        await cluster.failed("empty", "could not get secret data from provider")
        await cluster.es("good", data=[{"secretKey": "v", "remoteRef": {"key": "k"}}])
        await cluster.synced("good")


@pytest.mark.parametrize(("namespace", "works"), [(None, True), ("t", True), ("other", False)])
async def test_a_ca_of_another_namespace_is_not_read(namespace: str | None, works: bool) -> None:
    """B081: a SecretStore refuses it before any read; in its own namespace, named or not, it is read (kubernetes backend)."""
    async with running() as cluster:
        await cluster.namespace("other")
        for where in ("t", "other"):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": where}}
            await cluster.client.create({**body, "data": {"c": "no certificate"}})
        ca = {"type": "ConfigMap", "name": "ca", "key": "c", **({"namespace": namespace} if namespace else {})}
        await cluster.secret("login", {"token": "x"})
        provider = {
            "kubernetes": {
                "server": {"url": "https://127.0.0.1:9", "caProvider": ca},
                "auth": {"token": {"bearerToken": {"name": "login", "key": "token"}}},
            }
        }
        metadata = {"name": "s", "namespace": "t"}
        await cluster.client.create(
            {"apiVersion": SS.api_version, "kind": SS.kind, "metadata": metadata, "spec": {"provider": provider}}
        )

        async def told() -> bool:
            return bool(await cluster.ready("s", kind=SS))

        await cluster.eventually(told)
        read = cluster.requests("get", resource="configmaps")
        if works:
            assert read >= 1
        else:
            assert read == 0
            message = (await cluster.ready("s", kind=SS))["message"]
            assert "namespace should either be empty or match the namespace of the SecretStore" in message


async def test_a_token_is_asked_for_in_the_namespace_of_the_account() -> None:
    """B082, B083: of a SecretStore its own, also when it is named; of a ClusterSecretStore the one it names."""
    async with running() as cluster:
        await cluster.namespace("b")
        for where in ("t", "b"):
            body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s", "namespace": where}}
            await cluster.client.create(body)
        for kind, metadata, where in (
            (SS, {"name": "one", "namespace": "t"}, "t"),
            (CSS, {"name": "two"}, "b"),
        ):
            provider = {
                "kubernetes": {
                    "server": {"url": cluster.server.url},
                    "remoteNamespace": "t",
                    "auth": {"serviceAccount": {"name": "s", "namespace": where}},
                }
            }
            await cluster.client.create(
                {
                    "apiVersion": kind.api_version,
                    "kind": kind.kind,
                    "metadata": metadata,
                    "spec": {"provider": provider},
                }
            )

            async def asked(where: str = where) -> None:
                wanted = f"/api/v1/namespaces/{where}/serviceaccounts/s/token"
                made = [e for e in cluster.server.requests(user_agent="external-secrets") if e.uri.startswith(wanted)]
                assert made and made[0].code == 201

            await cluster.eventually(asked)


async def test_the_binding_names_a_target_that_cannot_be_written() -> None:
    """A Secret that is there is the one meant; one that cannot be created is bound to nobody yet."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        other = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth"}
        for name in ("typed", "templated"):
            metadata = {"name": name, "namespace": "t"}
            await cluster.client.create({**other, "metadata": metadata, "stringData": {"username": "u"}})
        failing = {"data": {"x": "{{ .nope }}"}}
        data = [{"secretKey": "a", "remoteRef": {"key": "k"}}]
        await cluster.es("typed", target={"template": {"type": "Opaque"}}, data=data)
        await cluster.es("templated", target={"template": failing}, data=data)
        await cluster.es("absent", target={"template": failing}, data=data)
        for name, bound in (("typed", "typed"), ("templated", "templated"), ("absent", "")):

            async def told(name: str = name, bound: str = bound) -> None:
                found = await cluster.get(ES, name)
                assert found is not None and found["status"]["binding"] == {"name": bound}
                assert found["status"]["conditions"][0]["reason"] == "SecretSyncedError"

            await cluster.eventually(told)
