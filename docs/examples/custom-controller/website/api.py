"""The kind: what a user writes, and what the operator answers."""

from typing import Any

from pydantic import Field

from eso_core import Model, Resource
from eso_core.model import PrinterColumn


class WebsiteSpec(Model):
    """What is served."""

    host: str = Field(description="Name under which it is found.")
    image: str = Field("nginx:1.29", description="Image of the server.")
    replicas: int = Field(1, ge=0, le=10, description="Copies that run.")


class WebsiteStatus(Model):
    """How far it got."""

    url: str | None = None
    ready_replicas: int | None = None
    observed_generation: int | None = None
    conditions: list[dict[str, Any]] | None = None


class Website(
    Resource,
    group="example.io",
    version="v1",
    short_names=("web",),
    status_subresource=True,
    printer_columns=(
        PrinterColumn("Host", ".spec.host"),
        PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    ),
):
    """A website and its copies."""

    spec: WebsiteSpec
    status: WebsiteStatus | None = None
