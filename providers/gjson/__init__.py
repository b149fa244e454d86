"""Paths into JSON documents, as ``remoteRef.property`` has them.

The language is that of the Go library gjson 1.18 (its SYNTAX document): dotted components, array indexes, wildcards,
queries, modifiers, multipaths. Documents are not validated: the search starts at the first ``{`` or ``[``, and plain
text has no properties. ``get`` answers a ``Result`` or None; ``Result.text`` is what a read returns.
"""

from providers.errors import InvalidData
from providers.gjson import evaluate
from providers.gjson.result import Kind, Result

__all__ = ["Kind", "Result", "get"]


def get(document: str, path: str) -> Result | None:
    """What ``path`` finds in ``document``, or None. The empty path is the key ``""``.

    Raises:
        InvalidData: Path or document are nested too deeply to be walked.
    """
    try:
        return evaluate.get(document, path)
    except RecursionError:
        raise InvalidData("reading a property: the path or the document is nested too deeply") from None
