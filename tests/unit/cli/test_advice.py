"""An operator that cannot read the cluster says why in one line for each cause."""

from __future__ import annotations

import pytest

from controllers.cli.advice import AGAIN_AFTER, FIRST_AFTER, advice, advise_while_waiting
from eso_core.aio import TaskScope
from eso_core.testing.clock import FakeClock

SERVER = "https://10.0.0.1:6443"
REFUSED = f"ConnectError: GET /api/v1/secrets: cannot connect to {SERVER}: Connect call failed: is the cluster up, and the server right?"


@pytest.mark.parametrize(
    ("waiting", "lines"),
    [
        ({}, []),
        (
            {"Secret": REFUSED, "ExternalSecret": REFUSED},
            [
                f"waiting for the API server at {SERVER}: Connect call failed: start it, or name another with --kubeconfig or --context"
            ],
        ),
        (
            {"Secret": "GET /api/v1/secrets: 401 Unauthorized: Unauthorized"},
            [
                f"waiting for the API server at {SERVER}: it refuses the credentials (401): renew the kubeconfig's token or certificate"
            ],
        ),
        (
            {
                "SecretStore": "GET /x: 404 NotFound: 404 page not found",
                "ExternalSecret": "GET /y: 404 NotFound",
                "Secret": "GET /z: 403 Forbidden: no",
            },
            [
                "waiting for the CustomResourceDefinitions of ExternalSecret, SecretStore: install them with: eso crds --apply",
                "waiting for permission to list and watch Secret: the rules are in the warnings above; nothing else is held up by them",
            ],
        ),
        ({"Secret": ""}, [f"waiting for Secret: no answer from {SERVER} so far"]),
    ],
)
def test_each_cause_is_one_line_that_says_what_to_do(waiting: dict[str, str], lines: list[str]) -> None:
    """However many kinds it concerns."""
    assert advice(SERVER, waiting) == lines


async def test_it_is_said_once_then_as_a_reminder_and_ends_when_all_is_read() -> None:
    """A start that takes a moment says nothing; a lasting cause is repeated each minute."""
    clock = FakeClock()
    said: list[tuple[float, str]] = []
    waiting = {"Secret": ""}
    start = clock.monotonic()

    async def advising() -> None:
        await advise_while_waiting(
            clock, SERVER, lambda: waiting, lambda line: said.append((clock.monotonic() - start, line))
        )

    async with TaskScope("test") as scope:
        task = scope.spawn(advising(), name="advice")
        await clock.advance(FIRST_AFTER + AGAIN_AFTER + 3)
        waiting.clear()
        await clock.advance(FIRST_AFTER)
        assert task.done()
    assert [round(at) for at, _ in said] == [FIRST_AFTER, FIRST_AFTER + AGAIN_AFTER]
