"""Built-in resources that are never stored: reviews of tokens and access."""

from __future__ import annotations

from typing import Any, Final

JsonObject = dict[str, Any]


def _review(kind: str, *, namespaced: bool = False) -> JsonObject:
    return {
        "name": f"{kind.lower()}s",
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": ["create"],
    }


REVIEWS: Final[dict[str, tuple[JsonObject, ...]]] = {
    "authentication.k8s.io": (_review("SelfSubjectReview"), _review("TokenReview")),
    "authorization.k8s.io": (
        _review("LocalSubjectAccessReview", namespaced=True),
        _review("SelfSubjectAccessReview"),
        _review("SelfSubjectRulesReview"),
        _review("SubjectAccessReview"),
    ),
}
"""By group: the review resources as legacy discovery lists them."""
