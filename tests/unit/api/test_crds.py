"""The definitions that we install are those of the original, but for differences that are listed here with their reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from controllers.api import ExternalSecret, all_crds
from controllers.cli.crds import to_yaml
from eso_core.meta import JsonObject

HERE = Path(__file__).parent
MANIFESTS = HERE.parents[2] / "manifests" / "crds"
CRDS = {crd["spec"]["names"]["plural"]: crd for crd in all_crds()}

INTERVAL = {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": "1h0m0s", "x-kubernetes-int-or-string": True}


def without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        words = {"description", "message"} if "rule" in node else {"description"}
        return {k: without_descriptions(v) for k, v in node.items() if not (k in words and isinstance(v, str))}
    if isinstance(node, list):
        return [without_descriptions(v) for v in node]
    return node


def expected(plural: str) -> JsonObject:
    """What the original has, with our differences put in."""
    golden: JsonObject = orjson.loads((HERE / "golden" / f"{plural}.json").read_bytes())
    if len(golden["versions"]) == 1:
        return _of_one_version(golden)
    v1, v1beta1 = golden["versions"]
    for version in (v1, v1beta1):
        if not version["selectableFields"]:
            del version["selectableFields"]
    del v1["deprecated"]
    # v1beta1 is served, so that manifests of older tutorials work; the warning says what to change.
    v1beta1["served"] = True
    v1beta1["deprecationWarning"] = (
        f"external-secrets.io/v1beta1 {golden['names']['kind']} is deprecated; use external-secrets.io/v1"
    )
    if plural == "clusterexternalsecrets":
        for version in (v1, v1beta1):
            inner = version["schema"]["properties"]["spec"]["properties"]["externalSecretSpec"]["properties"]
            inner["refreshInterval"] = INTERVAL
        inner = v1["schema"]["properties"]["spec"]["properties"]["externalSecretSpec"]["properties"]
        for entries in ("data", "dataFrom"):
            inner[entries]["items"]["properties"]["optional"] = {"type": "boolean"}
    if plural == "externalsecrets":
        # Tutorials write `refreshInterval: 0` as a number. Such a field cannot be selectable.
        for version in (v1, v1beta1):
            version["schema"]["properties"]["spec"]["properties"]["refreshInterval"] = INTERVAL
        # Entries may be marked as optional.
        for entries in ("data", "dataFrom"):
            v1["schema"]["properties"]["spec"]["properties"][entries]["items"]["properties"]["optional"] = {
                "type": "boolean"
            }
        # The cause of a failure, which the original tells in an event only, its kind, and what generation was looked at.
        status = v1["schema"]["properties"]["status"]["properties"]
        status["lastError"] = {"type": "string"}
        status["observedGeneration"] = {"type": "integer"}
        # When values of generators expire, and what was synced but for the notes of tools.
        status["nextRefreshTime"] = {"type": "string", "format": "date-time"}
        status["syncedOwnVersion"] = {"type": "string"}
        status["conditions"]["items"]["properties"]["type"]["enum"] += ["Stalled", "Reconciling"]
        v1["selectableFields"] = [f for f in v1["selectableFields"] if f["jsonPath"] != ".spec.refreshInterval"]
    if plural in ("secretstores", "clustersecretstores"):
        for version in (v1, v1beta1):
            version["schema"]["properties"]["status"]["properties"]["observedGeneration"] = {"type": "integer"}
    for version in (v1, v1beta1):
        version["schema"] = {"openAPIV3Schema": version["schema"]}
    return golden


def _of_one_version(golden: JsonObject) -> JsonObject:
    (version,) = golden["versions"]
    del version["deprecated"], version["selectableFields"]
    if golden["names"]["plural"] == "clusterpushsecrets":
        inner = version["schema"]["properties"]["spec"]["properties"]["pushSecretSpec"]["properties"]
        inner["refreshInterval"] = INTERVAL
    for absent in ("additionalPrinterColumns", "subresources"):
        if not version[absent]:
            del version[absent]
    if golden["names"]["plural"] == "pushsecrets":
        version["schema"]["properties"]["spec"]["properties"]["refreshInterval"] = INTERVAL
        status = version["schema"]["properties"]["status"]["properties"]
        # What deletionPolicy None left behind, what was pushed, and the cause of a failure.
        status["retainedPushSecrets"] = status["syncedPushSecrets"]
        status["sourceVersion"] = status["lastError"] = {"type": "string"}
        # When values of generators expire, and what was pushed but for the notes of tools.
        status["nextRefreshTime"] = {"type": "string", "format": "date-time"}
        status["syncedOwnVersion"] = {"type": "string"}
        status["observedGeneration"] = {"type": "integer"}
    version["schema"] = {"openAPIV3Schema": version["schema"]}
    return golden


@pytest.mark.parametrize("plural", sorted(CRDS))
def test_schemas_columns_and_names_are_those_of_the_original(plural: str) -> None:
    """All backends, every default, enum and pattern."""
    ours = without_descriptions(CRDS[plural]["spec"])
    assert ours.pop("conversion") == {"strategy": "None"}
    assert ours == expected(plural)


@pytest.mark.parametrize(
    ("plural", "said"),
    [
        (
            "pushsecrets",
            [
                "exactly one of regexp or transform must be set",
                "storeRef must specify either name or labelSelector",
                "remoteKey and rewrite are mutually exclusive: rewrite is only supported in per-key mode (without remoteKey)",
            ],
        ),
        ("gitlabdeploytokens", ["exactly one of projectID or groupID must be set"]),
    ],
)
def test_what_a_refused_object_is_told_are_the_words_of_the_original(plural: str, said: list[str]) -> None:
    """People search for them, and pipelines match them."""
    assert list(messages(CRDS[plural]["spec"])) == said


def messages(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from messages(value)
        for rule in node.get("x-kubernetes-validations", ()):
            yield rule["message"]
    elif isinstance(node, list):
        for value in node:
            yield from messages(value)


def test_all_backends_of_the_original_are_in_the_schema() -> None:
    """43 keys in v1 (aws stands for three services)."""
    schema = CRDS["secretstores"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert len(schema["properties"]["spec"]["properties"]["provider"]["properties"]) == 43


@pytest.mark.parametrize("plural", sorted(CRDS))
def test_the_checked_in_manifests_are_what_the_models_say(plural: str) -> None:
    """`eso crds --output-dir manifests/crds` was run after the last change."""
    text = (MANIFESTS / f"{CRDS[plural]['spec']['group']}_{plural}.yaml").read_text()
    assert text == to_yaml(CRDS[plural])
    assert "&id" not in text, "aliases of YAML confuse some tools"
    assert yaml.load(text, Loader=yaml.CSafeLoader)["metadata"]["labels"] == {
        "external-secrets.io/component": "controller"
    }


@pytest.mark.parametrize("interval", [0, "0", "1h", None])
def test_an_interval_may_be_a_number_or_text_and_stays_as_written(interval: object) -> None:
    """Durations are read at use, so that one bad object never hides the others."""
    body = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "a"},
        "spec": {"refreshInterval": interval},
    }
    assert ExternalSecret.decode(body).encode() == body
