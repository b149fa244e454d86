"""Objects as rows: printer columns of custom kinds, the fixed columns of built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eso_core.testing.apiserver.http.jsonpath import PathError, compile_path
from eso_core.testing.apiserver.resources import Column, ResourceType, Version
from eso_core.testing.apiserver.schema.gotext import to_json

JsonObject = dict[str, Any]
Cells = Callable[[JsonObject, "TableView"], list[Any]]

NAME_TEXT: Final = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
CREATED_TEXT: Final = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)

NAME: Final = Column("Name", "string", format="name", description=NAME_TEXT)
AGE: Final = Column("Age", "string", description=CREATED_TEXT)
UNKNOWN: Final = "<unknown>"


def short_duration(seconds: float) -> str:
    """A length of time for people: ``45s``, ``5m10s``, ``3h``, ``2d4h``, ``400d``."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(0, total)
    if total < 120:
        return f"{total}s"
    minutes, rest = divmod(total, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, rest = divmod(hours, 24)
    if hours < 192:
        return f"{days}d{rest}h" if rest else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    if years < 8:
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


class TableView:
    """Makes columns and cells. ``now`` is asked for ages; ``builtin`` gives cells by (group, kind)."""

    def __init__(
        self, now: Callable[[], datetime], builtin: dict[tuple[str, str], tuple[Sequence[Column], Cells]]
    ) -> None:
        self._now = now
        self._builtin = builtin

    def definitions(self, resource: ResourceType, version: Version) -> list[JsonObject]:
        """Column definitions as the Table carries them."""
        found = self._builtin.get((resource.group, resource.kind))
        if found is not None:
            columns = found[0]
        elif version.columns:
            columns = (NAME, *version.columns)
        else:
            columns = (NAME, Column("Age", "date", description=CREATED_TEXT))
        return [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in columns
        ]

    def cells(self, resource: ResourceType, version: Version, obj: JsonObject) -> list[Any]:
        """One row's cells."""
        found = self._builtin.get((resource.group, resource.kind))
        if found is not None:
            return found[1](obj, self)
        name = obj["metadata"].get("name", "")
        if not version.columns:
            return [name, self.age_cell(obj)]
        return [name, *(self._custom_cell(column, obj) for column in version.columns)]

    def _custom_cell(self, column: Column, obj: JsonObject) -> Any:
        try:
            values = compile_path(column.path)(obj)
        except PathError:
            return None
        if not values or values[0] is None:
            return None
        value = values[0]
        match column.type:
            case "string":
                return _scalar(value)
            case "date":
                return self.time_cell(value)
            case "integer":
                if isinstance(value, bool) or not isinstance(value, int | float):
                    return None
                return int(value)
            case "number":
                return value if isinstance(value, int | float) and not isinstance(value, bool) else None
            case "boolean":
                return value if isinstance(value, bool) else None
        return None

    def time_cell(self, text: Any) -> str:
        """How long ago a timestamp was; ``<unknown>`` when there is none, ``<invalid>`` when it cannot be read."""
        if not text:
            return UNKNOWN
        try:
            then = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        except ValueError:
            return "<invalid>"
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        return short_duration((self._now() - then).total_seconds())

    def age_cell(self, obj: JsonObject) -> str:
        """How long ago the object was created."""
        return self.time_cell(obj["metadata"].get("creationTimestamp"))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return to_json(value)
    return str(value)
