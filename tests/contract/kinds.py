"""The kinds of the contract: one with a status subresource, one without."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from eso_core.meta import GVK
from eso_core.model import Model, Resource, Rule, Schema, crd_for

__all__ = ["CRDS", "PLAIN", "WIDGET", "widget"]


class WidgetSpec(Model):
    color: Literal["red", "blue"]
    size: Annotated[int, Schema(extra={"maximum": 5})] = 1
    note: Annotated[str | None, Schema(rules=(Rule("self != 'four'", message="not four"),))] = None


class Widget(
    Resource, group="contract.test", version="v1", status_subresource=True, selectable_fields=(".spec.color",)
):
    spec: WidgetSpec
    status: dict[str, Any] | None = None


class Plain(Resource, group="contract.test", version="v1", plural="plains"):
    spec: dict[str, Any]
    status: dict[str, Any] | None = None


WIDGET: GVK = Widget.gvk
PLAIN: GVK = Plain.gvk
CRDS = [crd_for(Widget), crd_for(Plain)]


def widget(name: str = "w", kind: GVK = WIDGET, **spec: Any) -> dict[str, Any]:
    """A Widget, red unless said otherwise."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"color": "red", **spec},
    }
