"""The base of generators' specs, apart from the interface: pydantic is a fifth of a start, and many operators make nothing."""

from __future__ import annotations

from eso_core.model import Model

__all__ = ["GeneratorSpec"]


class GeneratorSpec(Model):
    """Base of what stands under `spec` of a generator."""
