"""No byte of a Secret's values leaves through a side door, whatever fails."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import secrets
import traceback
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest

from eso_core.client import JsonPatch, MergePatch
from eso_core.controller import Context, Request
from eso_core.log import configure_logging, keep_locals_out
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ApiError, Invalid
from eso_core.meta.wellknown import EVENT, SECRET
from eso_core.testing.eventually import eventually
from eso_core.testing.fakeclient import FakeClient


async def test_what_the_server_quotes_of_a_secret_is_not_shown() -> None:
    """P-80, G-09: a patch makes the object unreadable, and the server quotes all of it in its 422; the field and the reason stay."""
    given = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default"},
        "data": {"b": "cGxhbnRlZA=="},
    }
    async with FakeClient(given) as client:
        with pytest.raises(Invalid) as caught:
            await client.patch(SECRET, ObjectKey("default", "s"), MergePatch({"data": {"a": "%"}}))
        error = caught.value
        assert "cGxhbnRlZA" not in f"{error} {error!r} {error.message} {error.status} {error.details} {error.causes}"
        assert "illegal base64 data at input byte 0" in error.message


async def test_a_thousand_secrets_leave_no_trace() -> None:
    """P-80: failing reconciles that hold them, refused writes, events and metrics; scanned as text and as base64."""
    values = {f"s{number}": secrets.token_hex(16) for number in range(1_000)}
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "team"},
            "data": {"password": base64.b64encode(value.encode()).decode()},
        }
        for name, value in values.items()
    ]
    out = io.StringIO()
    configure_logging("debug", format="console", stream=out, sample=False)
    texts: list[str] = []
    seen: set[str] = set()

    async def reconcile(ctx: Context, request: Request) -> None:
        held = await ctx.api.get(SECRET, request.key)
        number = int(request.name[1:])
        ctx.log.info("looking", keys=sorted(held["data"]))
        try:
            if number % 10 == 0:
                await ctx.api.patch(SECRET, request.key, MergePatch({"data": {"bad": "%"}}))
            elif number % 10 == 1:
                await ctx.api.patch(SECRET, request.key, MergePatch({"type": "kubernetes.io/tls"}))
            elif number % 10 == 2:
                await ctx.api.patch(
                    SECRET, request.key, JsonPatch([{"op": "test", "path": "/data/password", "value": "no"}])
                )
            elif number % 10 == 3:
                raise KeyError("password")
        except ApiError as error:
            texts.append("".join(traceback.format_exception(error)))
            ctx.recorder.event(held, "Warning", "Refused", str(error))
            if number % 20 == 0:
                raise
        finally:
            seen.add(request.name)

    async with FakeClient(*objects) as client:
        manager = Manager(client, options=ManagerOptions(metrics_addr="0", health_addr="0"))
        manager.controller(reconcile).for_(SECRET, namespaces=["team"]).workers(8)
        task = asyncio.create_task(manager.run())
        await eventually(lambda: len(seen) == len(values), timeout=60)
        manager.stop()
        await task
        texts += [out.getvalue(), generate_latest(manager.registry).decode(), repr(manager.cache), repr(client)]
        texts.append(str((await client.list(EVENT, "team")).items))
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = [
        handler for handler in logging.getLogger().handlers if getattr(handler, "stream", None) is not out
    ]
    assert len(out.getvalue()) > 10_000
    whole = "\n".join(texts)
    for value in values.values():
        assert value not in whole
        assert base64.b64encode(value.encode()).decode() not in whole


def test_other_kinds_keep_what_the_server_says() -> None:
    """Only answers about Secrets are cut."""
    status: dict[str, Any] = {"message": 'spec.color: Invalid value: "green": no', "code": 422, "reason": "Invalid"}
    assert ApiError.from_status(status, path="/apis/t.io/v1/widgets/w").message == status["message"]
    cut = ApiError.from_status(status, path="/api/v1/namespaces/a/secrets/s")
    assert cut.message == "spec.color: Invalid value: (not shown): no"


def test_a_program_that_configures_no_logging_prints_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """G-09: with rich installed, structlog's own default would print the locals of every frame; a program's choice stays."""
    structlog.reset_defaults()
    keep_locals_out()
    try:
        held = "".join(["pl4nted", "-local"])
        assert held
        raise ConnectionError("it failed")
    except ConnectionError:
        structlog.get_logger("t").error("Reconciler error", exc_info=True)
    shown = capsys.readouterr().out
    assert "it failed" in shown
    assert "pl4nted-local" not in shown
    chosen = [structlog.processors.KeyValueRenderer()]
    structlog.configure(processors=chosen)
    keep_locals_out()
    assert structlog.get_config()["processors"] == chosen
    structlog.reset_defaults()
