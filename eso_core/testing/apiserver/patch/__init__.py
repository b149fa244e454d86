"""Strategic merge patch: a merge patch that knows which lists are merged item by item, and takes directives."""

from __future__ import annotations
