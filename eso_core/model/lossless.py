"""The check that a resource class can write back all that it read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args, is_typeddict

from pydantic import BaseModel, SecretBytes, SecretStr

__all__ = ["check_lossless"]


def check_lossless(model: type[BaseModel]) -> None:
    """Make sure that no field of an object is lost when it is read with `model` and written again.

    A controller that drops the fields it does not know undoes what a newer client wrote.

    Raises:
        TypeError: a class inside `model` drops unknown fields, or leaves a field out when it is written.
    """
    seen: set[type] = set()
    pending: list[tuple[str, Any]] = [(model.__qualname__, model)]
    while pending:
        path, annotation = pending.pop()
        for cls in _classes(annotation):
            if cls in seen:
                continue
            seen.add(cls)
            if dataclasses.is_dataclass(cls) or is_typeddict(cls):
                raise TypeError(f"{path}: {cls.__qualname__} drops unknown fields: derive it from eso_core.model.Model")
            if issubclass(cls, SecretStr | SecretBytes):
                raise TypeError(f"{path}: {cls.__qualname__} is written as stars: use str with Field(repr=False)")
            if not issubclass(cls, BaseModel):
                continue
            if cls.model_config.get("extra") != "allow":
                raise TypeError(f"{path}: {cls.__qualname__} drops unknown fields: derive it from eso_core.model.Model")
            for name, info in cls.model_fields.items():
                if info.exclude:
                    raise TypeError(
                        f"{path}.{name}: the field is left out when the object is written: remove `exclude`"
                    )
                pending.append((f"{path}.{name}", info.annotation))


def _classes(annotation: Any) -> Iterator[type]:
    arguments = get_args(annotation)
    for argument in arguments:
        yield from _classes(argument)
    if not arguments and isinstance(annotation, type):
        yield annotation
