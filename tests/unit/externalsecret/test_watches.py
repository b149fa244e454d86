"""What wakes an ExternalSecret."""

from __future__ import annotations

import orjson
import pytest

from controllers.externalsecret.watches import store_matters
from eso_core.cache import CachedObject
from eso_core.controller import Event, EventKind
from eso_core.meta import ObjectKey, ObjectMeta


def store(ready: str | None, *, generation: int = 1, uid: str = "u") -> CachedObject:
    """A store whose Ready condition has this status; None for one that was never checked."""
    status = {} if ready is None else {"conditions": [{"type": "Ready", "status": ready}]}
    meta = ObjectMeta(name="s", namespace="t", uid=uid, generation=generation)
    return CachedObject(ObjectKey("t", "s"), meta, orjson.dumps({"status": status}))


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        (store(None), store("True"), True),
        (store(None), store("False"), True),
        (store("False"), store("True"), True),
        (store("True"), store("False"), False),
        (store("True"), store("True"), False),
        (store("False"), store("False"), False),
        (store("True"), store("True", generation=2), True),
        (store("False"), store("False", generation=2), False),
        (store("False"), store("False", uid="v"), False),
        (store(None), store(None), False),
    ],
)
def test_users_of_a_store_wait_for_its_first_result_and_for_its_readiness(
    old: CachedObject, new: CachedObject, matters: bool
) -> None:
    """A first result that is bad is news as well: who waited for the check must not go on waiting for nothing."""
    assert store_matters(True)(Event(EventKind.UPDATE, new, old)) is matters


def test_without_the_gate_a_store_need_not_be_ready() -> None:
    """Then a changed spec is enough."""
    assert store_matters(False)(Event(EventKind.UPDATE, store("False", generation=2), store("False")))
    assert store_matters(False)(Event(EventKind.CREATE, store(None)))
    assert not store_matters(True)(Event(EventKind.CREATE, store(None)))
    assert not store_matters(True)(Event(EventKind.CREATE, store("True"), initial=True))
    assert not store_matters(True)(Event(EventKind.DELETE, store("True")))
