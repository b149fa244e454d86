"""The functions that expressions may call, by library."""

from __future__ import annotations

from typing import Final

from eso_core.testing.apiserver.schema.cel.functions import (
    conversions,
    kubernetes,
    lists,
    networks,
    operators,
    optionals,
    strings,
    texts,
)
from eso_core.testing.apiserver.schema.cel.overloads import Overload, merge

FUNCTIONS: Final[dict[str, list[Overload]]] = merge(
    module.LIBRARY for module in (operators, conversions, optionals, strings, lists, texts, networks, kubernetes)
)
