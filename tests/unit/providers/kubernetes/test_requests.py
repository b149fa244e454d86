"""Which answers of a cluster mean that a Secret is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eso_core.meta.errors import ApiError
from providers.errors import Unavailable
from providers.interface import NoCalls
from providers.kubernetes.requests import Requests

PATH = "/api/v1/namespaces/n/secrets/s"
GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "NotFound",
    "code": 404,
    "message": 'secrets "s" not found',
    "details": {"name": "s", "kind": "secrets"},
}


class _Answers:
    """A client whose every read ends with one answer."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def get(self, *_: Any) -> Any:
        raise ApiError.from_response("GET", PATH, 404, self._body, {})


def _requests(body: bytes) -> Requests:
    cluster: Any = _Answers(body)
    return Requests(cluster, NoCalls())


async def test_the_servers_word_about_the_secret_is_a_missing_secret() -> None:
    """A Status that names it."""
    assert await _requests(json.dumps(GONE).encode()).secret("n", "s") is None


@pytest.mark.parametrize("body", [b"404 page not found", b"<html>", b"", b'{"message": "no Route matched"}'])
async def test_the_404_of_something_else_is_a_failure(body: bytes) -> None:
    """A proxy without its backend must not delete Secrets; it is tried again."""
    with pytest.raises(Unavailable, match="what stands in front of the server"):
        await _requests(body).secret("n", "s")
