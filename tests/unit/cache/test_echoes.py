"""Echoes of own writes."""

from __future__ import annotations

import pytest

from eso_core.cache.echoes import OwnEchoes
from eso_core.cache.store import CachedObject, Change, ChangeType
from eso_core.meta import ObjectKey, ObjectMeta
from eso_core.meta.wellknown import CONFIG_MAP, SECRET

KEY = ObjectKey("ns", "a")


def state(version: str) -> CachedObject:
    return CachedObject(KEY, ObjectMeta(name="a", namespace="ns", uid="u", resource_version=version), b"{}")


def update(old: str, new: str, **more: bool) -> Change:
    return Change(ChangeType.UPDATED, state(old), state(new), **more)


@pytest.fixture
def echoes() -> OwnEchoes:
    echoes = OwnEchoes()
    echoes.follow(CONFIG_MAP)
    return echoes


def test_an_own_write_that_named_its_base_is_an_echo(echoes: OwnEchoes) -> None:
    """R-76: the event whose version is that of the write, from exactly the state it was based on."""
    echoes.wrote(CONFIG_MAP, KEY, "4", "5")
    echoes.wrote(CONFIG_MAP, KEY, "5", "6")
    assert echoes.is_echo(CONFIG_MAP, update("4", "5"))
    assert echoes.is_echo(CONFIG_MAP, update("5", "6"))


def test_everything_foreign_is_let_through(echoes: OwnEchoes) -> None:
    """R-76: changes while a write is in flight, changes in between, writes that changed nothing, other kinds, relists."""
    assert not echoes.is_echo(CONFIG_MAP, update("4", "5")), "the event came before the answer"
    echoes.wrote(CONFIG_MAP, KEY, "4", "6")
    assert not echoes.is_echo(CONFIG_MAP, update("4", "5"))
    assert not echoes.is_echo(CONFIG_MAP, update("5", "6")), "the version in between is foreign"
    assert not echoes.is_echo(CONFIG_MAP, update("4", "6", relisted=True)), "several changes may be in one"
    assert not echoes.is_echo(SECRET, update("4", "6"))
    echoes.wrote(CONFIG_MAP, KEY, "", "7")
    assert not echoes.is_echo(CONFIG_MAP, update("6", "7")), "a patch without version may have answered a foreign one"
    echoes.wrote(CONFIG_MAP, KEY, "7", "7")
    assert not echoes.is_echo(CONFIG_MAP, update("6", "7"))
    assert not echoes.is_echo(CONFIG_MAP, Change(ChangeType.DELETED, state("6"), None))


def test_memory_is_bounded(echoes: OwnEchoes) -> None:
    """A forgotten write costs one reconcile."""
    for version in range(20_000):
        echoes.wrote(CONFIG_MAP, KEY, str(version), str(version + 1))
    assert not echoes.is_echo(CONFIG_MAP, update("9999", "10000"))
    assert echoes.is_echo(CONFIG_MAP, update("19999", "20000"))
