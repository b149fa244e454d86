"""Values of Secrets must not be seen where somebody prints what holds them."""

from __future__ import annotations

__all__ = ["Concealed"]


class Concealed:
    """Stands before ``Struct`` among the bases of what holds values of Secrets: the repr names the fields, and shows none."""

    __slots__ = ()

    def __repr__(self) -> str:
        fields: tuple[str, ...] = getattr(self, "__struct_fields__")  # noqa: B009 - of the Struct beside it
        return f"{type(self).__name__}({', '.join(fields)})"
