"""The template of an ExternalSecret, on an API server with the operator in the same process."""

from __future__ import annotations

import base64
from typing import Any

import bcrypt
import pytest

from controllers.operator import OperatorOptions
from controllers.templating.stage import TemplateSettings
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from tests.integration.operator.harness import ES, Cluster, running

JsonObject = dict[str, Any]
ALL = [{"extract": {"key": "doc"}}]
DATA = [{"secretKey": "a", "remoteRef": {"key": "k"}}]


async def layout(cluster: Cluster, name: str = "layout", kind: GVK = CONFIG_MAP, **data: str) -> None:
    """A ConfigMap, or a Secret, with templates."""
    if kind is SECRET:
        await cluster.secret(name, data)
        return
    metadata = {"name": name, "namespace": "t"}
    await cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def from_source(member: str, *keys: str, name: str = "layout", **more: Any) -> JsonObject:
    """An entry of templateFrom."""
    return {member: {"name": name, "items": [{"key": key} for key in keys]}, **more}


async def whole_error(cluster: Cluster, name: str) -> str:
    """What the status says is wrong."""
    obj = await cluster.get(ES, name)
    assert obj is not None
    return str(obj["status"]["lastError"])


async def test_a_changed_config_map_renders_anew_at_once() -> None:
    """The source is watched; what the store gives and the interval have no part in it."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await layout(cluster, x="old {{ .a }}")
        await cluster.es("app", target={"template": {"templateFrom": [from_source("configMap", "x")]}}, data=DATA)
        await cluster.has_data("app", {"x": "old 1"})
        await cluster.quiet()
        await cluster.patch(CONFIG_MAP, "layout", {"data": {"x": "new {{ .a }}"}})
        await cluster.has_data("app", {"x": "new 1"}, within=10.0)  # a busy machine's second; the interval is an hour


async def test_a_changed_secret_renders_anew_and_others_do_not_care() -> None:
    """A Secret as source; a Secret that no template names costs no pass."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await layout(cluster, kind=SECRET, x="old {{ .a }}")
        await cluster.secret("stranger", {"x": "1"})
        await cluster.es("app", target={"template": {"templateFrom": [from_source("secret", "x")]}}, data=DATA)
        await cluster.has_data("app", {"x": "old 1"})
        await cluster.quiet()
        reads = len(cluster.probe.reads)
        await cluster.patch(SECRET, "stranger", {"data": {"x": base64.b64encode(b"2").decode()}})
        await cluster.quiet()
        assert len(cluster.probe.reads) == reads
        await cluster.patch(SECRET, "layout", {"data": {"x": base64.b64encode(b"new {{ .a }}").decode()}})
        await cluster.has_data("app", {"x": "new 1"}, within=1.0)


async def test_many_objects_with_one_layout_cost_few_reads() -> None:
    """The content of a source is kept while its version stays."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await layout(cluster, x="{{ .a }}")
        template = {"templateFrom": [from_source("configMap", "x")]}
        await cluster.es("first", target={"template": template}, data=DATA)
        await cluster.synced("first")
        await cluster.quiet()
        before = cluster.requests("get", resource="configmaps")
        for number in range(8):
            await cluster.es(f"app-{number}", target={"template": template}, data=DATA)
        for number in range(8):
            await cluster.synced(f"app-{number}")
        assert cluster.requests("get", resource="configmaps") == before


async def test_nobody_lists_config_maps_while_no_template_names_one() -> None:
    """The right to list them is needed from the first object on that uses them."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"template": {"data": {"x": "{{ .a }}"}}}, data=DATA)
        await cluster.synced("app")
        assert cluster.requests("list", "watch", resource="configmaps") == 0


async def test_a_missing_source_is_named_and_its_arrival_heals_the_object() -> None:
    """No waiting for the interval."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"template": {"templateFrom": [from_source("configMap", "x")]}}, data=DATA)
        await cluster.failed("app", "could not update secret")
        text = await cluster.has_event("app", "Warning", "UpdateFailed")
        assert text == (
            "unable to mutate secret app: could not apply template: error fetching templateFrom data: "
            'configmaps "layout" not found'
        )
        await cluster.quiet()
        await layout(cluster, y="{{ .a }}")
        wanted = "error fetching templateFrom data: error in configmap layout: missing key x (ConfigMap layout has the keys y)"
        text = await cluster.has_event("app", "Warning", "UpdateFailed", wanted)
        await cluster.patch(CONFIG_MAP, "layout", {"data": {"x": "{{ .a }}"}})
        await cluster.has_data("app", {"x": "1"})


async def test_created_once_keeps_what_it_has_when_a_source_changes() -> None:
    """The policy says once; an object with an interval beside it follows."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await layout(cluster, x="old")
        template = {"templateFrom": [from_source("configMap", "x")]}
        await cluster.es("once", target={"template": template}, data=DATA, refreshPolicy="CreatedOnce")
        await cluster.es("follows", target={"template": template}, data=DATA, refreshPolicy="OnChange")
        await cluster.has_data("once", {"x": "old"})
        await cluster.has_data("follows", {"x": "old"})
        await cluster.patch(CONFIG_MAP, "layout", {"data": {"x": "new"}})
        await cluster.has_data("follows", {"x": "new"})
        assert await cluster.data("once") == {"x": "old"}


async def test_b028_a_missing_key_writes_nothing_and_says_what_there_is() -> None:
    """B028: the target stays; key of the template, place, missing name and available keys are in event and status."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.secret("app", {"x": "1"})
        await cluster.es("app", target={"template": {"data": {"FOO": "ab\n{{ .NOPE }}"}}}, data=DATA)
        await cluster.failed("app", "could not update secret")
        text = await cluster.has_event("app", "Warning", "UpdateFailed")
        key = "unable to execute template at key FOO: "
        assert text == (
            "unable to mutate secret app: could not apply template: could not execute template: could not execute template: "
            f'{key}{key}template: FOO:2:3: executing "FOO" at <.NOPE>: map has no entry for key "NOPE" '
            "(the template has the keys a)"
        )
        assert await whole_error(cluster, "app") == text
        assert (await cluster.ready("app"))["message"] == f"could not update secret: {text}"
        assert await cluster.data("app") == {"x": "1"}


async def test_b030_merge_into_a_secret_without_data() -> None:
    """B030: nothing crashes over a target that has no data field."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.client.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": "t"}}
        )
        target = {"creationPolicy": "Merge", "template": {"data": {"k": "{{ .a }}"}}}
        await cluster.es("app", target=target, data=DATA)
        await cluster.has_data("app", {"k": "1"})


async def test_b032_a_label_of_the_template_is_no_data() -> None:
    """B032: the label is set, the data has the template's keys alone."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        metadata = {
            "labels": {"argocd.argoproj.io/secret-type": "cluster", "v": "x{{ .a }}"},
            "annotations": {"n": "{{ .a }}"},
        }
        await cluster.es("app", target={"template": {"metadata": metadata, "data": {"k": "{{ .a }}"}}}, data=DATA)
        await cluster.has_data("app", {"k": "1"})
        secret = await cluster.client.get(SECRET, ObjectKey("t", "app"))
        assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
        assert (secret["metadata"]["labels"]["v"], secret["metadata"]["annotations"]["n"]) == ("x1", "1")


async def test_b036_yaml_scalars_of_a_literal() -> None:
    """B036: YAML 1.1 decides; a list as a value is an error that names the entry."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        literal = "a: yes\nb: 010\nc: 1.50\nd: null\ne: '007'"
        await cluster.es("app", target={"template": {"templateFrom": [{"literal": literal}]}}, data=DATA)
        await cluster.has_data("app", {"a": "true", "b": "8", "c": "1.5", "d": "", "e": "007"})
        await cluster.es("bad", target={"template": {"templateFrom": [{"literal": "a: [1]"}]}}, data=DATA)
        text = await cluster.has_event("bad", "Warning", "UpdateFailed")
        assert "could not unmarshal template to 'map[string][]byte': " in text and "templateFrom[0].literal" in text


async def test_b037_delimiters_apply_to_templates_and_not_to_transform() -> None:
    """B037: `[[` and `]]` for the template, `{{` and `}}` for the names of keys."""
    options = OperatorOptions(templates=TemplateSettings(left="[[", right="]]"))
    async with running(options=options) as cluster:
        await cluster.fake({"doc": '{"a": "1"}'})
        await cluster.es(
            "app",
            target={"template": {"data": {"x": "[[ .A ]] {{ .A }}"}}},
            dataFrom=[{**ALL[0], "rewrite": [{"transform": {"template": "{{ .value | upper }}"}}]}],
        )
        await cluster.has_data("app", {"x": "1 {{ .A }}"})


@pytest.mark.parametrize("stable", [True, False])
async def test_b129_salted_results_stay_while_they_fit(stable: bool) -> None:
    """B129: a refresh leaves the Secret alone; a new password gets a new hash; the switch salts at each refresh."""
    options = OperatorOptions(templates=TemplateSettings(stable=stable))
    async with running(options=options) as cluster:
        await cluster.fake({"k": "hunter22"})
        template = {"data": {"auth": '{{ htpasswd "u" .a "bcrypt" }}'}}
        await cluster.es("app", target={"template": template}, data=DATA)
        await cluster.synced("app")
        before = await cluster.data("app")
        await cluster.poke("app")
        await cluster.synced("app")
        await cluster.quiet()
        after = await cluster.data("app")
        assert before is not None and after is not None
        assert (after == before) is stable
        await cluster.set_fake({"k": "other"})
        await cluster.poke("app", "2")

        async def renewed() -> bool:
            data = await cluster.data("app")
            assert data is not None
            return bcrypt.checkpw(b"other", data["auth"].partition(":")[2].encode())

        await cluster.eventually(renewed)


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("{{ fail .a }}", "error calling fail: [hidden]"),
        ('{{ fail (printf "no %s here" .a) }}', "error calling fail: no [hidden] here"),
        ('{{ fail "on purpose" }}', "error calling fail: on purpose"),
    ],
)
async def test_errors_hold_no_values(template: str, part: str) -> None:
    """A function that quotes what it was given does not carry it into events, statuses and logs."""
    async with running() as cluster:
        await cluster.fake({"k": "s3cr#t: x"})
        await cluster.es("app", target={"template": {"data": {"x": template}}}, data=DATA)
        text = await cluster.has_event("app", "Warning", "UpdateFailed", part)
        assert "s3cr" not in text + await whole_error(cluster, "app")


async def test_a_label_that_the_server_refuses_is_not_quoted() -> None:
    """The server's answer repeats the label, which a template made of a value; of a new Secret the event is the answer."""
    async with running() as cluster:
        await cluster.fake({"k": "s3cr#t: x"})
        target = {"template": {"metadata": {"labels": {"l": "{{ .a }}"}}, "data": {"x": "1"}}}
        await cluster.es("app", target=target, data=DATA)
        text = await cluster.has_event("app", "Warning", "UpdateFailed", 'Secret "app" is invalid: metadata.labels')
        assert text.startswith('Secret "app" is invalid: ')
        assert "s3cr" not in text + await whole_error(cluster, "app")


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{{ .value", "failed to parse template: template: transform:1: unclosed action"),
        (
            '{{ fail "no" }}',
            'failed to execute template: template: transform:1:3: executing "transform" at <fail "no">: '
            "error calling fail: no (key k)",
        ),
    ],
)
async def test_a_broken_transform_is_told_as_in_the_original(template: str, wanted: str) -> None:
    """As recorded in scenario from-rewrite-broken; the key that the template failed on stands behind that."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        rewrite = [{"transform": {"template": template}}]
        await cluster.es("app", dataFrom=[{"find": {"name": {"regexp": "k"}}, "rewrite": rewrite}])
        text = await cluster.has_event("app", "Warning", "UpdateFailed", "transform failed with ")
        assert text.endswith(f"failed rewrite operation[0]: transform failed with {wanted}")


async def test_an_update_that_the_server_refuses_is_told_in_its_words() -> None:
    """Behind the name of the Secret, without method, path and code of the request."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"template": {"type": "Opaque"}}, data=DATA)
        await cluster.synced("app")
        await cluster.patch(ES, "app", {"spec": {"target": {"template": {"type": "example.com/other"}}}})
        text = await cluster.has_event("app", "Warning", "UpdateFailed", "field is immutable")
        assert text.startswith('unable to update secret app: Secret "app" is invalid: type: ')


async def test_a_source_that_is_the_target_itself_does_not_feed_on_its_writes() -> None:
    """A template that reads its own target runs once per refresh, not once per write."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await layout(cluster, name="app", kind=SECRET, x="{{ .a }}")
        target = {"creationPolicy": "Merge", "template": {"templateFrom": [from_source("secret", "x", name="app")]}}
        await cluster.es("app", target=target, data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        assert await cluster.data("app") == {"x": "1"}
