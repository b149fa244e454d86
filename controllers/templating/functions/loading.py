"""Imports every family of functions once."""

from __future__ import annotations

import importlib
import pkgutil

from controllers.templating.functions.registry import FUNCTIONS, Function

__all__ = ["load"]


def load() -> dict[str, Function]:
    """All functions by name. Each module of this package that declares functions is imported."""
    package = importlib.import_module("controllers.templating.functions")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return FUNCTIONS
