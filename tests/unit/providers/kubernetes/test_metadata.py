"""Labels and annotations of what is pushed."""

from __future__ import annotations

from typing import Any

import pytest

from providers.errors import InvalidData
from providers.kubernetes.metadata import PushMetadata, merged, parse

API = "kubernetes.external-secrets.io/v1alpha1"
UNREADABLE = f"failed to parse {API} PushSecretMetadata: error unmarshaling JSON: while decoding JSON: json: "


def envelope(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "PushSecretMetadata", "spec": spec}


@pytest.mark.parametrize(
    ("policies", "after"),
    [
        ({}, {"from": "push", "old": "1", "own": "2", "source": "3"}),
        ({"sourceMergePolicy": "Replace"}, {"from": "push", "old": "1", "own": "2"}),
        ({"targetMergePolicy": "Replace"}, {"from": "push", "own": "2", "source": "3"}),
        ({"sourceMergePolicy": "Replace", "targetMergePolicy": "Replace"}, {"from": "push", "own": "2"}),
        ({"targetMergePolicy": "Ignore"}, {"from": "target", "old": "1"}),
    ],
)
def test_policies_decide_whose_labels_stay(policies: dict[str, str], after: dict[str, str]) -> None:
    """The push's own beat the source's, and those the target's."""
    metadata = parse(envelope(labels={"from": "push", "own": "2"}, **policies))
    source = {"from": "source", "source": "3"}
    assert merged("labels", source, {"from": "target", "old": "1"}, metadata) == after
    assert source == {"from": "source", "source": "3"}, "the caller's labels serve the next entry too"


def test_without_metadata_source_and_target_are_merged() -> None:
    """As the default policies say."""
    assert parse(None) is None
    assert merged("annotations", {"a": "1"}, {"a": "0", "b": "2"}, None) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"apiVersion": "v1", "kind": "PushSecretMetadata"}, f'unexpected apiVersion "v1", expected "{API}"'),
        ({"apiVersion": API, "kind": "Metadata"}, 'unexpected kind "Metadata", expected "PushSecretMetadata"'),
        (envelope(label={"a": "b"}), f'{UNREADABLE}unknown field "label"'),
        ({**envelope(), "more": 1}, f'{UNREADABLE}unknown field "more"'),
        (envelope(labels={"a": 1}), f"{UNREADABLE}cannot unmarshal number into spec.labels.a"),
        (envelope(annotations=[]), f"{UNREADABLE}cannot unmarshal array into spec.annotations"),
        ("text", f"{UNREADABLE}cannot unmarshal string: an object is needed"),
    ],
)
def test_metadata_that_cannot_be_meant_is_refused(document: Any, text: str) -> None:
    """Unknown fields too: a misspelt policy must not act as another."""
    with pytest.raises(InvalidData) as caught:
        parse(document)
    assert str(caught.value) == f"unable to parse metadata parameters: {text}"


def test_unknown_policies_are_named() -> None:
    """With the words that users of the original know."""
    with pytest.raises(InvalidData, match='^failed to merge source metadata: unexpected source merge policy "X"$'):
        merged("labels", {}, {}, PushMetadata(source_merge_policy="X"))
    with pytest.raises(InvalidData, match='^failed to merge target metadata: unexpected target merge policy "Y"$'):
        merged("labels", {}, {}, PushMetadata(target_merge_policy="Y"))
