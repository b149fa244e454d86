"""`StructuralSchema`: what a custom resource's OpenAPI schema does to its objects."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver import errors as reasons
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes, embedded, listtypes
from eso_core.testing.apiserver.schema.metafields import prune_metadata
from eso_core.testing.apiserver.schema.node import ABSENT, Node
from eso_core.testing.apiserver.schema.report import report
from eso_core.testing.apiserver.schema.rules import RuleNode, RuleRun, build_rules

JsonObject = dict[str, Any]

_BLOCKING: Final = frozenset(
    (reasons.REQUIRED, reasons.NOT_SUPPORTED, reasons.TOO_LONG, reasons.TOO_MANY, reasons.TYPE_INVALID)
)
_UNCHECKED: Final = causes.invalid(
    causes.NO_FIELD,
    None,
    "some validation rules were not checked because the object was invalid; correct the existing errors to "
    "complete validation",
)


class StructuralSchema:
    """A compiled schema. Its parts are compiled when an object first reaches them.

    The order on a write is `prune`, `default`, `validate`, `validate_rules` (or the last two as `check`).
    """

    __slots__ = ("_embedded", "_node", "_raw", "_rules", "_rules_built", "_status")

    def __init__(self, openapi: JsonObject) -> None:
        self._raw = openapi
        self._node = Node(openapi, root=True)
        self._embedded: bool | None = None
        self._rules: RuleNode | None = None
        self._rules_built = False
        self._status: Node | None = None

    @property
    def openapi(self) -> JsonObject:
        """The schema as it was given. Not to be changed."""
        return self._raw

    @property
    def rules(self) -> RuleNode | None:
        """The CEL rules of the schema, or None if it has none."""
        if not self._rules_built:
            self._rules = build_rules(self._raw)
            self._rules_built = True
        return self._rules

    def prune(self, obj: JsonObject) -> list[str]:
        """Remove unknown fields in place.

        Returns the paths of what was removed, in the order in which the server names them.

        Raises:
            CoerceError: metadata, or apiVersion or kind of an embedded resource, has a value of the wrong type.
        """
        in_metadata: list[str] = []
        prune_metadata(obj.get("metadata"), "metadata", in_metadata)
        found = self._node.prune(obj)
        removed = sorted(path.removeprefix(".") for path in found) if found else []
        if self._embedded is None:
            self._embedded = embedded.has_embedded(self._raw)
        in_embedded: list[str] = []
        if self._embedded:
            embedded.coerce(self._node, obj, "", in_embedded)
        return in_metadata + removed + in_embedded

    def default(self, obj: JsonObject) -> None:
        """Set defaults in place, and drop nulls from fields that may not be null."""
        self._node.fill(obj)

    def validate(self, obj: JsonObject, old: JsonObject | None = None) -> list[FieldError]:
        """The errors of an object against the schema proper; CEL rules are `validate_rules`.

        With ``old``, the stored object, errors in unchanged parts are forgiven.
        """
        if self._node.valid(obj):
            return []
        found = report(self._node, obj, "", ABSENT if old is None else old)
        return found + self._beyond_values(obj, old)

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        """The errors of a write to the status subresource, which is held against the schema of ``status`` alone."""
        if self._node.valid(obj):
            return []
        node = self._node.properties.find("status")
        found: list[FieldError] = []
        if node is not None and obj.get("status") is not None:
            for error in report(node, obj["status"], "", old.get("status", ABSENT)):
                where = "status" if error.field == causes.NO_FIELD else f"status.{error.field}"
                found.append(FieldError(error.reason, where, error.message))
        return found + self._beyond_values(obj, old)

    def _beyond_values(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        found = embedded.find_problems(self._node, obj, "")
        if old is None or not listtypes.find_duplicates(self._node, old, ""):
            found += listtypes.find_duplicates(self._node, obj, "")
        return found

    def unchecked_rules(self, found: list[FieldError]) -> FieldError | None:
        """The error that says that CEL rules were skipped, if the errors found so far call for it."""
        if self.rules is not None and any(error.reason in _BLOCKING for error in found):
            return _UNCHECKED
        return None

    def validate_rules(self, obj: JsonObject, old: JsonObject | None = None) -> tuple[list[FieldError], list[str]]:
        """The errors of the CEL rules, and warnings for failures that the change did not cause.

        Only to be called if `unchecked_rules` of all errors so far is None: rules rely on a sound object.
        """
        if self.rules is None:
            return [], []
        run = RuleRun()
        run.validate(self.rules, obj, old)
        return run.errors, run.warnings

    def check(
        self,
        obj: JsonObject,
        old: JsonObject | None = None,
        before: list[FieldError] | None = None,
        *,
        status: bool = False,
    ) -> tuple[list[FieldError], list[str]]:
        """All errors of a write, after those found ``before`` (in metadata, say), and warnings."""
        found = list(before or ())
        found += self.validate_status(obj, old) if status and old is not None else self.validate(obj, old)
        if (skipped := self.unchecked_rules(found)) is not None:
            return [*found, skipped], []
        errors, warnings = self.validate_rules(obj, old)
        return found + errors, warnings


def compile(openapi: JsonObject) -> StructuralSchema:
    """Compile the ``openAPIV3Schema`` of a custom resource version. The dict is kept and must not change."""
    return StructuralSchema(openapi)
