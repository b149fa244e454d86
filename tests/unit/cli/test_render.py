"""`eso render`: Secrets without a cluster."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.cli.main import main

JsonObject = dict[str, Any]


def write(folder: Path, name: str, *documents: JsonObject) -> str:
    path = folder / name
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def external_secret(**spec: Any) -> JsonObject:
    body = {"secretStoreRef": {"name": "store"}, **spec}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "app", "namespace": "t"},
        "spec": body,
    }


def data_of(secret: JsonObject) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def rendered(capsys: pytest.CaptureFixture[str], *argv: str) -> list[JsonObject]:
    assert main(["render", *argv]) == 0
    return [document for document in yaml.safe_load_all(capsys.readouterr().out) if document]


def test_values_are_picked_found_rewritten_and_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--data stands in for the store: property, extract, find and rewrite run as in the operator."""
    manifest = external_secret(
        data=[{"secretKey": "user", "remoteRef": {"key": "db", "property": "user"}}],
        dataFrom=[
            {"extract": {"key": "db"}, "rewrite": [{"regexp": {"source": "^", "target": "db_"}}]},
            {
                "find": {"name": {"regexp": "^team/"}},
                "rewrite": [{"transform": {"template": '{{ .value | trimPrefix "team/" | upper }}'}}],
            },
        ],
        target={"template": {"mergePolicy": "Merge", "data": {"dsn": "{{ .user }}:{{ .db_port }}"}}},
    )
    data = {"db": {"user": "u", "port": 5432}, "team/a": "1", "other": "x"}
    [secret] = rendered(
        capsys, "-f", write(tmp_path, "es.yaml", manifest), "--data", write(tmp_path, "data.yaml", data)
    )
    assert data_of(secret) == {"user": "u", "db_user": "u", "db_port": "5432", "A": "1", "dsn": "u:5432"}
    assert secret["metadata"]["ownerReferences"][0]["name"] == "app"


def test_variables_are_given_and_sources_come_from_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--values skips the fetch; ConfigMaps and Secrets of the files are what templateFrom reads."""
    manifest = external_secret(
        data=[{"secretKey": "a", "remoteRef": {"key": "k"}}],
        target={
            "template": {
                "type": "example.com/t",
                "metadata": {"labels": {"l": "{{ .a }}"}},
                "templateFrom": [
                    {"configMap": {"name": "layout", "items": [{"key": "x"}]}},
                    {"secret": {"name": "layout", "items": [{"key": "y", "templateAs": "KeysAndValues"}]}},
                ],
            }
        },
    )
    metadata = {"name": "layout", "namespace": "t"}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": "x {{ .a }}"}}
    secret_source = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"y": "z: {{ .a }}"}}
    values = write(tmp_path, "values.yaml", {"a": "1"})
    path = write(tmp_path, "all.yaml", manifest, config_map, secret_source)
    [secret] = rendered(capsys, "-f", path, "--values", values)
    assert (data_of(secret), secret["type"]) == ({"x": "x 1", "z": "1"}, "example.com/t")
    assert secret["metadata"]["labels"]["l"] == "1"


def test_a_cluster_external_secret_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its externalSecretSpec is rendered under its name; JSON on demand, several as a List."""
    spec = {"secretStoreRef": {"name": "s"}, "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}
    cluster = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterExternalSecret",
        "metadata": {"name": "shared"},
        "spec": {"externalSecretName": "child", "externalSecretSpec": spec},
    }
    path = write(tmp_path, "ces.yaml", cluster, external_secret(**spec))
    data = write(tmp_path, "data.yaml", {"k": "v"})
    assert main(["render", "-f", path, "--data", data, "-o", "json", "-n", "team"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items] == [
        ("team", "child"),
        ("t", "app"),
    ]
    assert [data_of(item) for item in items] == [{"a": "v"}, {"a": "v"}]


def test_existing_secrets_count_for_merging(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Secret of the files is the target as it is."""
    manifest = external_secret(data=[{"secretKey": "a", "remoteRef": {"key": "k"}}], target={"creationPolicy": "Merge"})
    existing = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app", "namespace": "t"},
        "stringData": {"theirs": "1"},
    }
    data = write(tmp_path, "data.yaml", {"k": "v"})
    [secret] = rendered(capsys, "-f", write(tmp_path, "es.yaml", manifest, existing), "--data", data)
    assert data_of(secret) == {"theirs": "1", "a": "v"}


@pytest.mark.parametrize(
    ("spec", "extra", "part"),
    [
        ({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}, [], "give --data FILE"),
        ({"data": [{"secretKey": "a", "remoteRef": {"key": "none"}}]}, ["--data"], "(key: none), err: Secret does not"),
        ({"target": {"template": {"data": {"x": "{{ .n }}"}}}}, ["--values"], "(the template has the keys k)"),
        (
            {"target": {"template": {"templateFrom": [{"secret": {"name": "n", "items": [{"key": "x"}]}}]}}},
            ["--values"],
            "add the manifest of Secret t/n with -f",
        ),
        ({"refreshInterval": "1d", "data": []}, ["--values"], "refreshInterval"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: JsonObject, extra: list[str], part: str
) -> None:
    """Status 1, nothing on stdout."""
    path = write(tmp_path, "es.yaml", external_secret(**spec))
    extra = [*extra, write(tmp_path, "data.yaml", {"k": "v"})] if extra else []
    assert main(["render", "-f", path, *extra]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert path in err and part in err


def test_no_secret_is_said_and_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """creationPolicy None prints nothing but why."""
    manifest = external_secret(data=[{"secretKey": "a", "remoteRef": {"key": "k"}}], target={"creationPolicy": "None"})
    data = write(tmp_path, "data.yaml", {"k": "v"})
    assert main(["render", "-f", write(tmp_path, "es.yaml", manifest), "--data", data]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "the operator would write no Secret" in err
