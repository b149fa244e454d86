"""Paths into JSON documents, as ``remoteRef.property`` has them.

The language is that of the Go library gjson 1.18 (its SYNTAX document): dotted components, array indexes, wildcards,
queries, modifiers, multipaths. Documents are not validated: the search starts at the first ``{`` or ``[``, and plain
text has no properties. ``get`` answers a ``Result`` or None; ``Result.text`` is what a read returns.
"""

from providers.gjson.evaluate import get
from providers.gjson.result import Kind, Result

__all__ = ["Kind", "Result", "get"]
