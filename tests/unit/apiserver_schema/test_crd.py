"""CustomResourceDefinitions: what is refused, what is filled in, and where errors are said to be."""

from copy import deepcopy
from typing import Any

import pytest

from eso_core.testing.apiserver import schema
from eso_core.testing.apiserver.builtin.validation_warnings import crd_warnings

Json = dict[str, Any]


def crd(openapi: Json | None = None, **version: Any) -> Json:
    """A definition of one version, as it is before defaults."""
    built = {"name": "v1", "served": True, "storage": True, **version}
    if openapi is not None:
        built["schema"] = {"openAPIV3Schema": openapi}
    return {
        "metadata": {"name": "things.t.io", "resourceVersion": "1"},
        "spec": {
            "group": "t.io",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [built],
        },
    }


def with_spec(spec: Json, **version: Any) -> Json:
    """A definition whose schema has one property, spec."""
    return crd({"type": "object", "properties": {"spec": spec}}, **version)


def errors(definition: Json, old: Json | None = None) -> list[str]:
    """The errors of a definition after defaulting, as texts."""
    definition = deepcopy(definition)
    schema.default_crd(definition)
    before = ((old or {}).get("status") or {}).get("storedVersions") or []
    definition.setdefault("status", {})["storedVersions"] = schema.stored_versions(definition["spec"], before)
    return [str(error) for error in schema.validate_crd(definition, old)]


AT = "spec.validation.openAPIV3Schema.properties[spec]"


def test_names_and_conversion_are_filled_in() -> None:
    """Singular and list kind come from the kind; webhook services listen on 443."""
    definition = crd({"type": "object"})
    schema.default_crd(definition)
    assert definition["spec"]["names"] == {
        "plural": "things",
        "kind": "Thing",
        "singular": "thing",
        "listKind": "ThingList",
    }
    assert definition["spec"]["conversion"] == {"strategy": "None"}
    hook = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"name": "s", "namespace": "n"}}}}
    definition["spec"]["conversion"] = hook
    schema.default_crd(definition)
    assert hook["webhook"]["clientConfig"]["service"]["port"] == 443  # type: ignore[index]


def test_a_sound_definition_has_no_errors() -> None:
    """Nothing to complain about."""
    assert errors(with_spec({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}})) == []


def test_names_are_checked() -> None:
    """The object is named after plural and group; names are labels; kinds may have capitals."""
    definition = crd({"type": "object"})
    definition["metadata"]["name"] = "other.t.io"
    definition["spec"]["names"] = {
        "plural": "things",
        "kind": "Thing",
        "listKind": "Thing",
        "shortNames": ["UP"],
        "categories": ["x_"],
    }
    found = errors(definition)
    assert found[0] == 'metadata.name: Invalid value: "other.t.io": must be spec.names.plural+"."+spec.group'
    assert [text.split(":")[0] for text in found[1:]] == [
        "spec.names.shortNames[0]",
        "spec.names.listKind",
        "spec.names.categories[0]",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"group": ""}, "spec.group: Required value"),
        ({"group": "plain"}, 'spec.group: Invalid value: "plain": should be a domain with at least one dot'),
        (
            {"scope": "Everywhere"},
            'spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"',
        ),
        ({"scope": ""}, "spec.scope: Required value"),
        (
            {"preserveUnknownFields": True},
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
            "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ),
        (
            {"conversion": {"strategy": "Odd"}},
            'spec.conversion.strategy: Unsupported value: "Odd": supported values: "None", "Webhook"',
        ),
        (
            {"conversion": {"strategy": "Webhook"}},
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "http://x"}, "conversionReviewVersions": ["v1"]},
                }
            },
            "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; "
            "desired format: https://host[/path]",
        ),
        (
            {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "https://x"}, "conversionReviewVersions": ["v9"]},
                }
            },
            'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
        ),
    ],
)
def test_the_head_of_a_definition_is_checked(change: Json, text: str) -> None:
    """Group, scope and conversion."""
    definition = crd({"type": "object"})
    definition["spec"].update(change)
    assert text in errors(definition)


def test_protected_groups_need_approval() -> None:
    """Groups of the Kubernetes project ask for an annotation with a link or an excuse."""
    definition = crd({"type": "object"})
    definition["spec"]["group"] = "x.k8s.io"
    definition["metadata"]["name"] = "things.x.k8s.io"
    assert errors(definition) == [
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval "
        'annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111'
    ]
    for text, good in (("https://x/1", True), ("unapproved, a test", True), ("because", False)):
        definition["metadata"]["annotations"] = {"api-approved.kubernetes.io": text}
        assert (errors(definition) == []) is good


def test_versions_share_what_they_have_in_common() -> None:
    """With one version, errors are about the top of the spec; with two that differ, about each."""
    untyped = {"type": "object", "properties": {"spec": {}}}
    assert errors(crd(untyped)) == [
        "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields"
    ]
    definition = crd(untyped)
    definition["spec"]["versions"].append(
        {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}}
    )
    assert errors(definition) == [
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields"
    ]


def test_one_version_is_stored() -> None:
    """None or two storage versions are refused with all versions shown by their internal names."""
    definition = crd({"type": "object"}, storage=False)
    shown = (
        '[{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,'
        '"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]'
    )
    assert errors(definition) == [
        f"spec.versions: Invalid value: {shown}: must have exactly one version marked as storage version",
        "status.storedVersions: Invalid value: null: must have at least one stored version",
    ]


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"type": "array"}, [f"{AT}.items: Required value: must be specified"]),
        (
            {"type": "odd"},
            [
                f'{AT}.type: Unsupported value: "odd": supported values: "array", "boolean", "integer", "number", "object", "string"'
            ],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
            [
                f'{AT}.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `(`'
            ],
        ),
        (
            {"type": "object", "anyOf": [{"type": "object"}]},
            [f"{AT}.anyOf[0].type: Forbidden: must be empty to be structural"],
        ),
        (
            {"type": "object", "oneOf": [{"description": "x"}]},
            [f"{AT}.oneOf[0].description: Forbidden: must be empty to be structural"],
        ),
        (
            {"type": "object", "not": {"properties": {"metadata": {}}}, "properties": {"metadata": {"type": "object"}}},
            [f"{AT}.not.properties[metadata]: Forbidden: must not be specified in a nested context"],
        ),
        (
            {"type": "string", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            [f'{AT}.type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true'],
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            [
                f"{AT}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            ],
        ),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
            [f"{AT}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            [f"{AT}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
        ),
        (
            {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
            [
                f"{AT}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
            ],
        ),
        (
            {"type": "object", "x-kubernetes-list-type": "set"},
            [f'{AT}.type: Invalid value: "object": must be array if x-kubernetes-list-type is specified'],
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "odd", "items": {"type": "string"}},
            [f'{AT}.x-kubernetes-list-type: Unsupported value: "odd": supported values: "atomic", "set", "map"'],
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
            [f"{AT}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"],
        ),
        (
            {"type": "array", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object"}},
            [f"{AT}.x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty"],
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
            },
            [
                f"{AT}.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            ],
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}},
            [
                f"{AT}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set"
            ],
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string", "nullable": True}},
            [f"{AT}.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set"],
        ),
        (
            {"type": "string", "x-kubernetes-map-type": "atomic"},
            [f'{AT}.type: Invalid value: "string": must be object if x-kubernetes-map-type is specified'],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "default": 5}}},
            [f'{AT}.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"'],
        ),
        (
            {"type": "object", "default": {"junk": 1}},
            [f'{AT}.default: Invalid value: {{"junk":1}}: must not have unknown fields'],
        ),
        (
            {"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True},
            [
                f"{AT}.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true"
            ],
        ),
    ],
)
def test_schemas_must_be_structural(spec: Json, texts: list[str]) -> None:
    """Each broken rule has its text."""
    assert errors(with_spec(spec)) == texts


@pytest.mark.parametrize(
    ("openapi", "text"),
    [
        (
            {"type": "string"},
            'spec.validation.openAPIV3Schema.type: Invalid value: "string": must be object at the root',
        ),
        ({}, "spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root"),
        (
            {"type": "object", "nullable": True},
            "spec.validation.openAPIV3Schema.nullable: Forbidden: nullable cannot be true at the root",
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            "spec.validation.openAPIV3Schema.additionalProperties: Forbidden: must not be used at the root",
        ),
        (
            {"type": "object", "allOf": [{"properties": {"spec": {"minProperties": 1}}}]},
            "spec.validation.openAPIV3Schema.properties[spec]: Required value: because it is defined in "
            "spec.validation.openAPIV3Schema.allOf[0].properties[spec]",
        ),
        (
            {
                "type": "object",
                "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}},
            },
            "spec.validation.openAPIV3Schema.properties[metadata]: Forbidden: must not specify anything other than name and "
            "generateName, but metadata is implicitly specified",
        ),
        (
            {"type": "object", "properties": {"kind": {"type": "string", "default": "x"}}},
            "spec.validation.openAPIV3Schema.properties[kind].default: Forbidden: must not be set in top-level kind",
        ),
    ],
)
def test_the_root_of_a_schema_has_rules_of_its_own(openapi: Json, text: str) -> None:
    """It is an object whose metadata is implied."""
    assert text in errors(crd(openapi))


def test_with_a_status_subresource_few_keywords_may_stand_at_the_root() -> None:
    """The schema of status is cut out of the whole, so rules beside properties would be lost."""
    found = errors(crd({"type": "object", "anyOf": [{"required": ["spec"]}]}, subresources={"status": {}}))
    assert len(found) == 1
    assert found[0].startswith('spec.validation.openAPIV3Schema: Invalid value: {"ID":"","Schema":"","Ref":null,')
    assert "only [Description Type Format Title Maximum" in found[0]


def test_columns_selectable_fields_and_subresources_are_checked() -> None:
    """Each with its path and text."""
    openapi = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    definition = crd(
        openapi,
        additionalPrinterColumns=[{"name": "", "type": "odd", "format": "x", "jsonPath": "spec"}],
        selectableFields=[
            {"jsonPath": ".spec.a"},
            {"jsonPath": ".spec.a"},
            {"jsonPath": ".spec"},
            {"jsonPath": "spec"},
        ],
        subresources={"scale": {"specReplicasPath": ".status.x", "labelSelectorPath": ".x"}},
        deprecationWarning="",
    )
    assert [
        text.split(": Invalid")[0].split(": Required")[0].split(": Duplicate")[0] for text in errors(definition)
    ] == [
        "spec.versions[0].deprecationWarning",
        "spec.subresources.scale.specReplicasPath",
        "spec.subresources.scale.statusReplicasPath",
        "spec.subresources.scale.labelSelectorPath",
        "spec.additionalPrinterColumns[0].name",
        "spec.additionalPrinterColumns[0].type",
        "spec.additionalPrinterColumns[0].format",
        "spec.additionalPrinterColumns[0].JSONPath",
        "spec.selectableFields[1].jsonPath",
        "spec.selectableFields[2].jsonPath",
        "spec.selectableFields[3].jsonPath",
    ]


def rule_texts(spec: Json, *rules: Json) -> list[str]:
    """The errors of rules on spec, without the rule that they show."""
    return errors(with_spec({**spec, "x-kubernetes-validations": list(rules)}))


INTS = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("rule", "field", "text"),
    [
        (
            {"rule": "self.b > 1"},
            "rule",
            "compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b > 1\n | ....^",
        ),
        ({"rule": "self.a"}, "rule", "cel expression must evaluate to a bool"),
        (
            {"rule": "self.a > 1", "messageExpression": "self.a"},
            "messageExpression",
            "messageExpression must evaluate to a string",
        ),
        (
            {"rule": "self.a > 1", "messageExpression": "self.b"},
            "messageExpression",
            "messageExpression compilation failed: ERROR: <input>:1:5: undefined field 'b'",
        ),
    ],
)
def test_rules_must_compile(rule: Json, field: str, text: str) -> None:
    """The error shows the rule by its internal names and points into it."""
    found = rule_texts(INTS, rule)
    assert len(found) == 1
    assert found[0].startswith(f'{AT}.x-kubernetes-validations[0].{field}: Invalid value: {{"Rule":"self.')
    assert text in found[0]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"rule": " "}, "rule: Required value: rule is not specified"),
        ({"rule": "true", "message": " "}, 'message: Invalid value: " ": must be non-empty if specified'),
        ({"rule": "true", "message": "a\nb"}, 'message: Invalid value: "a\\nb": must not contain line breaks'),
        ({"rule": "true &&\ntrue"}, "message: Required value: message must be specified if rule contains line breaks"),
        (
            {"rule": "true", "messageExpression": " "},
            "messageExpression: Required value: messageExpression must be non-empty if specified",
        ),
        (
            {"rule": "true", "reason": "Odd"},
            'reason: Unsupported value: "Odd": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
        ),
        ({"rule": "true", "fieldPath": ".b"}, 'fieldPath: Invalid value: ".b": must be a valid path'),
        (
            {"rule": "self.a > 0", "optionalOldSelf": True},
            "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
        ),
    ],
)
def test_the_form_of_rules_is_checked(rule: Json, text: str) -> None:
    """Messages, reasons and paths."""
    assert rule_texts(INTS, rule) == [f"{AT}.x-kubernetes-validations[0].{text}"]


def test_old_self_needs_a_part_that_can_be_told_again() -> None:
    """In a list without keys an item has no past."""
    rule = {"rule": "self == oldSelf"}
    item = {"type": "string", "maxLength": 10, "x-kubernetes-validations": [rule]}
    listed = {"type": "array", "maxItems": 3, "items": item}
    assert errors(with_spec({"type": "object", "properties": {"l": listed}})) == [
        f'{AT}.properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used '
        f"on the uncorrelatable portion of the schema within {AT}.properties[l]"
    ]


def test_rules_that_could_run_too_long_are_refused() -> None:
    """The estimate multiplies loops by the largest lists; limits in the schema bring it down."""
    nested = {"rule": "self.l.all(x, self.l.all(y, x == y))"}
    listed = {"type": "array", "items": {"type": "string"}}
    found = rule_texts({"type": "object", "properties": {"l": listed}}, nested)
    assert "estimated rule cost exceeds budget by factor of more than 100x" in found[0]
    assert "contributed to estimated rule cost total exceeding cost limit" in found[1]
    assert (
        "estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x" in found[2]
    )
    small = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 10}}
    assert rule_texts({"type": "object", "properties": {"l": small}}, nested) == []


def test_the_stored_schema_may_cost_what_it_costs() -> None:
    """An update that leaves the schema alone is not held to the limit of single rules."""
    item = {"type": "object", "x-kubernetes-validations": [{"rule": "[1, 2, 3].all(x, x > 0) && [1].all(x, x > 0)"}]}
    definition = with_spec({"type": "object", "properties": {"l": {"type": "array", "items": item}}})
    assert "exceeds budget by factor of" in errors(definition)[0]
    old = deepcopy(definition)
    old["status"] = {"storedVersions": ["v1"]}
    assert errors(definition, old) == []


def test_an_established_definition_keeps_scope_and_names() -> None:
    """Group and plural never change; scope and kind not once objects can exist."""
    old = crd({"type": "object"})
    schema.default_crd(old)
    old["status"] = {"storedVersions": ["v1"], "conditions": [{"type": "Established", "status": "True"}]}
    new = deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"]["kind"] = "Other"
    assert errors(new, old) == [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.names.kind: Invalid value: "Other": field is immutable',
    ]


def test_a_stored_version_cannot_leave() -> None:
    """Objects may still be stored in it."""
    old = crd({"type": "object"})
    old["status"] = {"storedVersions": ["v0"]}
    assert errors(crd({"type": "object"}), old) == [
        'status.storedVersions[0]: Invalid value: "v0": missing from spec.versions; v0 was previously a storage version, '
        "and must remain in spec.versions until a storage migration ensures no data remains persisted in v0 and removes "
        "v0 from status.storedVersions"
    ]


def test_formats_that_mean_nothing_are_warned_about() -> None:
    """Each once; formats of numbers count for numbers only."""
    props = {
        "a": {"type": "string", "format": "oddity"},
        "b": {"type": "string", "format": "oddity"},
        "c": {"type": "integer", "format": "int32"},
        "d": {"type": "string", "format": "int32"},
        "e": {"type": "string", "format": "date-time"},
    }
    assert crd_warnings(with_spec({"type": "object", "properties": props})) == [
        'unrecognized format "oddity"',
        'unrecognized format "int32"',
    ]


def _ranged(default: Json, rule: str) -> Json:
    bounds = {"min": {"type": "integer", "default": 0}, "max": {"type": "integer", "default": 5}}
    return {
        "type": "object",
        "default": default,
        "properties": bounds,
        "x-kubernetes-validations": [{"rule": rule}],
    }


@pytest.mark.parametrize(
    ("default", "rule", "message"),
    [
        ({"min": 1, "max": 2}, "self.min <= self.max", None),
        ({"min": 3, "max": 2}, "self.min <= self.max", "failed rule: self.min <= self.max"),
        ({}, "self.min <= self.max", "no such key: min evaluating rule: self.min <= self.max"),
        ({"max": 2}, "self.max == oldSelf.max", None),
    ],
)
def test_rules_hold_for_defaults_as_they_stand(default: Json, rule: str, message: str | None) -> None:
    """Rules run on a default when the definition is written, and the defaults inside it are not filled in."""
    found = errors(with_spec({"type": "object", "properties": {"range": _ranged(default, rule)}}))
    path = "spec.validation.openAPIV3Schema.properties[spec].properties[range].default"
    shown = 'Invalid value: "object": ' if message and "no such key" in message else "Invalid value: "
    assert found == ([f"{path}: {shown}{message}"] if message else [])
