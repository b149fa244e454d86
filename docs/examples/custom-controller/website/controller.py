"""The controller: a Deployment per Website, and a status that says what became of it."""

from typing import Any

from prometheus_client import Gauge

from eso_core import (
    DEPLOYMENT,
    Context,
    Manager,
    Operator,
    Request,
    Result,
    TerminalError,
    finalize,
    set_controller_reference,
)
from website.api import Website

FINALIZER = "example.io/website"

operator = Operator("website-operator", leader_election=True)
hosts: set[str] = set()


@operator.on_manager
def metrics(manager: Manager) -> None:
    """A metric of our own, beside those of every controller."""
    gauge = Gauge("websites_served", "Hosts that are served.", registry=manager.registry)
    gauge.set_function(lambda: len(hosts))


@operator.controller(Website, owns=[DEPLOYMENT], workers=4)
async def reconcile(ctx: Context, request: Request) -> Result | None:
    """Bring one Website to what its spec says."""
    site = await ctx.client.get(Website, request.key)  # gone in the meantime: NotFound, which counts as done

    async def apply(site: Website) -> Result | None:
        if "/" in site.spec.host:
            # Only an edit helps, and that brings us back: no retries.
            await report(ctx, site, "False", "InvalidHost", f"spec.host: {site.spec.host} is no host name")
            raise TerminalError(f"spec.host: {site.spec.host} is no host name: leave out scheme and path")
        deployed = await ctx.client.apply(deployment(site), "website-operator")
        ready = (deployed.get("status") or {}).get("readyReplicas") or 0
        hosts.add(site.spec.host)
        if ready >= site.spec.replicas:
            await report(ctx, site, "True", "Serving", f"{ready} copies run", ready)
        else:
            await report(ctx, site, "False", "Starting", f"{ready} of {site.spec.replicas} copies run", ready)
        return None  # changes of the Deployment bring us back

    async def cleanup(site: Website) -> None:
        hosts.discard(site.spec.host)
        ctx.recorder.event(site, "Normal", "Closed", f"{site.spec.host} is not served any more")

    return await finalize(ctx.client, site, FINALIZER, apply, cleanup)


async def report(ctx: Context, site: Website, status: str, reason: str, message: str, ready: int = 0) -> None:
    """Write the status if it says something new, with an event when Ready changes."""
    fields = {
        "url": f"https://{site.spec.host}" if reason != "InvalidHost" else None,
        "readyReplicas": ready,
        "observedGeneration": site.metadata.generation,
    }
    if await ctx.client.set_condition(site, type="Ready", status=status, reason=reason, message=message, fields=fields):
        ctx.recorder.event(site, "Normal" if status == "True" else "Warning", reason, message)


def deployment(site: Website) -> dict[str, Any]:
    """The Deployment of a Website: only the fields that we want to own."""
    labels = {"app": site.metadata.name}
    wanted: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": site.metadata.name, "namespace": site.metadata.namespace},
        "spec": {
            "replicas": site.spec.replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "server",
                            "image": site.spec.image,
                            "env": [{"name": "HOST", "value": site.spec.host}],
                        }
                    ]
                },
            },
        },
    }
    set_controller_reference(site, wanted)
    return wanted


def main() -> None:
    """Run until SIGTERM, as the leader of all copies that run."""
    operator.run()


if __name__ == "__main__":
    main()
