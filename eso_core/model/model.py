"""The base of everything inside a resource."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["Model"]


class Model(BaseModel):
    """A part of a Kubernetes object: snake_case in Python, camelCase on the wire.

    Unknown fields are kept, so that reading and writing back an object of a newer version loses nothing. Which fields were set is
    remembered, so that absent stays absent and null stays null.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="allow",
        # Input values must not get into error texts: they may be secret.
        hide_input_in_errors=True,
        protected_namespaces=(),
    )
