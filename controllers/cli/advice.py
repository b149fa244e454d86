"""What an operator that waits for its caches tells the person who started it: one line for each cause, with what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from eso_core.aio import Clock

__all__ = ["advice", "advise_while_waiting"]

FIRST_AFTER: Final = 2.0
"""Seconds that a start may take before anything is said."""
AGAIN_AFTER: Final = 60.0
"""Seconds between reminders while the same causes last."""


def advice(server: str, waiting: Mapping[str, str]) -> list[str]:
    """One line for each cause.

    Args:
        server: URL of the API server.
        waiting: The last error of each kind that is not read yet; empty text for "no answer so far".
    """
    lines: list[str] = []
    missing = sorted(kind for kind, error in waiting.items() if "404" in error or "not served" in error)
    forbidden = sorted(kind for kind, error in waiting.items() if "403" in error)
    errors = [error for error in waiting.values() if error]
    unreachable = next((e for e in errors if "cannot connect" in e or "ConnectError" in e or "TlsError" in e), "")
    if unreachable:
        reason = unreachable.rpartition(f"{server}: ")[2].partition(": is the cluster up")[0]
        lines.append(
            f"waiting for the API server at {server}: {reason}: start it, or name another with --kubeconfig or --context"
        )
    if any("401" in error for error in errors):
        lines.append(
            f"waiting for the API server at {server}: it refuses the credentials (401): renew the kubeconfig's token or certificate"
        )
    if missing:
        lines.append(
            f"waiting for the CustomResourceDefinitions of {', '.join(missing)}: install them with: eso crds --apply"
        )
    if forbidden:
        lines.append(
            f"waiting for permission to list and watch {', '.join(forbidden)}: the rules are in the warnings above; nothing else is held up by them"
        )
    if waiting and not lines:
        lines.append(
            f"waiting for {', '.join(sorted(waiting))}: {errors[0] if errors else f'no answer from {server} so far'}"
        )
    return lines


async def advise_while_waiting(
    clock: Clock, server: str, waiting: Callable[[], Mapping[str, str]], say: Callable[[str], object]
) -> None:
    """Say what is waited for, now and then, until `waiting` is empty."""
    await clock.sleep(FIRST_AFTER)
    said: list[str] = []
    last = clock.monotonic()
    while unread := waiting():
        lines = advice(server, unread)
        if lines != said or clock.monotonic() - last >= AGAIN_AFTER:
            for line in lines:
                say(line)
            said, last = lines, clock.monotonic()
        await clock.sleep(FIRST_AFTER)
