"""Where templates and generators plug in.

Each is optional. An ExternalSecret that needs one which is not there gets a condition that says so, before any store is
asked and with its target untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from controllers.externalsecret.errors import NotInThisRelease
from controllers.externalsecret.plan import Plan
from controllers.externalsecret.render import Content
from controllers.generating.references import GeneratorRef
from eso_core.meta import JsonObject

__all__ = ["Extensions", "Generators", "Making", "Templates"]


class Templates(Protocol):
    """Renders `target.template`, and the keys of `rewrite.transform`."""

    async def content(
        self, plan: Plan, data: Mapping[str, bytes], previous: Mapping[str, bytes] | None = None
    ) -> Content:
        """Data, labels, annotations, type and finalizers that the template makes of the values.

        Args:
            plan: The object, read.
            data: The fetched values.
            previous: Data of the target as it is, which functions with a random part may keep.

        Raises:
            SyncError: the template cannot be rendered, or a ConfigMap or Secret that it names is missing.
        """
        ...

    def transform(self, template: str, key: str) -> str:
        """The key that a `rewrite.transform` template makes of `key`.

        Raises:
            KeysRefused: the template cannot be parsed or executed.
        """
        ...


class Making(Protocol):
    """The generators of one pass: after the values are in place `commit`, otherwise `discard`."""

    @property
    def pending(self) -> bool:
        """Whether anything was made that has neither been committed nor discarded."""
        ...

    @property
    def lifetime(self) -> float | None:
        """For how long what was made lasts, seconds; None where that is not known."""
        ...

    async def generate(self, ref: GeneratorRef) -> dict[str, bytes]:
        """Fresh values.

        Raises:
            ProviderError: the generator is missing or failed.
        """
        ...

    async def commit(self) -> None:
        """The values are in place."""
        ...

    async def discard(self) -> None:
        """The values are nowhere: take back what was made for them."""
        ...


class Generators(Protocol):
    """Makes the values of entries with a `generatorRef`."""

    def begin(self, owner: JsonObject, *, uses: bool) -> Making | None:
        """One pass of an object; None where nothing is to do for it.

        Args:
            owner: The object.
            uses: Whether it names generators.
        """
        ...

    async def foreign(self, ref: GeneratorRef, namespace: str) -> bool:
        """Whether the generator is another operator's."""
        ...


class Extensions(Struct, frozen=True):
    """What this operator can do beyond copying values into Secrets."""

    templates: Templates | None = None
    generators: Generators | None = None

    def check(self, plan: Plan) -> None:
        """Refuse a plan that needs a part which is not there.

        Raises:
            NotInThisRelease: names the field.
        """
        if self.templates is None and plan.template is not None:
            raise NotInThisRelease("spec.target.template: this release does not render templates yet")
        if self.templates is None and plan.transforms:
            raise NotInThisRelease("spec.dataFrom[].rewrite[].transform: this release does not render templates yet")
        if self.generators is None and plan.generators:
            raise NotInThisRelease("spec.dataFrom[].sourceRef.generatorRef: this operator runs without generators")

    def transform(self, template: str, key: str) -> str:
        """Rename one key by a `rewrite.transform` template; `check` made sure that there is an engine."""
        if self.templates is None:
            raise NotInThisRelease("spec.dataFrom[].rewrite[].transform: this release does not render templates yet")
        return self.templates.transform(template, key)
