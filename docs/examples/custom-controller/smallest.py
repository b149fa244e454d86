"""The smallest controller: each Greeting says who was greeted."""

from eso_core import Context, Model, Operator, Request, Resource


class Name(Model):
    name: str


class Greeting(Resource, group="example.io", version="v1", status_subresource=True):
    spec: Name
    status: dict[str, str] | None = None


operator = Operator("greeter")


@operator.controller(Greeting)
async def reconcile(ctx: Context, request: Request) -> None:
    greeting = await ctx.client.get(Greeting, request.key)
    await ctx.client.patch_status(Greeting, request.key, {"text": f"Hello, {greeting.spec.name}!"})


if __name__ == "__main__":
    operator.run()
