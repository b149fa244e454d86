"""Conditions in ``status.conditions``: a list with one entry per type."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from eso_core.meta.gvk import JsonObject
from eso_core.meta.time import format_time

__all__ = ["find_condition", "is_condition_true", "remove_condition", "set_condition"]

_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", re.ASCII)
_STATUSES = ("True", "False", "Unknown")
MAX_MESSAGE = 32_768
"""Longest message that the API conventions allow; ``set_condition`` cuts there."""


def set_condition(
    conditions: list[JsonObject],
    *,
    type: str,
    status: str | bool,
    reason: str,
    message: str = "",
    now: datetime,
    observed_generation: int | None = None,
) -> bool:
    """Adds or changes the condition of a type, in place; the order of the list is kept.

    ``lastTransitionTime`` moves only when the status changes. ``observedGeneration`` never goes down: a call with an
    older generation than the recorded one changes nothing.

    Args:
        conditions: The list in the status.
        type: CamelCase, such as Ready.
        status: True, False or Unknown; a bool stands for its name.
        reason: One CamelCase word for machines.
        message: For people; longer ones than the API conventions allow are cut.
        now: The time of a transition.
        observed_generation: Of the object, as it was when this was found.

    Returns:
        Whether anything changed.

    Raises:
        ValueError: Type, status or reason do not follow the API conventions.
    """
    if not type or len(type) > 316:
        raise ValueError(f"setting a condition: type must have 1 to 316 characters, not {len(type)}")
    status = str(status) if isinstance(status, bool) else status
    if status not in _STATUSES:
        raise ValueError(f"setting condition {type}: status must be True, False or Unknown, not {status!r}")
    if len(reason) > 1_024 or _REASON.fullmatch(reason) is None:
        raise ValueError(f"setting condition {type}: reason must be a CamelCase word, not {reason!r}")
    message = message[:MAX_MESSAGE]
    current = find_condition(conditions, type)
    if current is None:
        added: JsonObject = {"type": type, "status": status}
        if observed_generation is not None:
            added["observedGeneration"] = observed_generation
        added.update(lastTransitionTime=format_time(now), reason=reason, message=message)
        conditions.append(added)
        return True
    recorded = current.get("observedGeneration")
    if observed_generation is not None and isinstance(recorded, int) and recorded > observed_generation:
        return False
    wanted: dict[str, Any] = {"reason": reason, "message": message}
    if observed_generation is not None:
        wanted["observedGeneration"] = observed_generation
    if current.get("status") != status:
        wanted.update(status=status, lastTransitionTime=format_time(now))
    changed = {key: value for key, value in wanted.items() if current.get(key) != value}
    current.update(changed)
    return bool(changed)


def find_condition(conditions: list[JsonObject] | None, type: str) -> JsonObject | None:
    """The condition of a type, not a copy."""
    return next((c for c in conditions or () if c.get("type") == type), None)


def is_condition_true(conditions: list[JsonObject] | None, type: str) -> bool:
    """Whether the condition exists and its status is ``True``."""
    condition = find_condition(conditions, type)
    return condition is not None and condition.get("status") == "True"


def remove_condition(conditions: list[JsonObject], type: str) -> bool:
    """Drops the condition of a type; whether there was one."""
    kept = [c for c in conditions if c.get("type") != type]
    changed = len(kept) != len(conditions)
    conditions[:] = kept
    return changed
