"""Field ownership: who manages which field of an object, and server-side apply, which rests on it.

`record_update` keeps the entries of metadata.managedFields on creates, updates and patches; `apply` merges a
configuration and changes the entries accordingly. Both are pure: objects in, objects out.
"""

from __future__ import annotations

from eso_core.testing.apiserver.managedfields.apply import ApplyConflict, apply, check_applied
from eso_core.testing.apiserver.managedfields.fieldset import field_set
from eso_core.testing.apiserver.managedfields.update import keep_times, record_update

__all__ = ["ApplyConflict", "apply", "check_applied", "field_set", "keep_times", "record_update"]
