"""The `shelf` backend: a small HTTP server that keeps JSON documents by name.

`GET /books` lists the names, `GET /books/NAME` is one document, and both want a bearer token.
"""

from typing import ClassVar

import aiohttp
from pydantic import Field

from providers import (
    AccessDenied,
    Capabilities,
    DocumentClient,
    Find,
    InvalidSpec,
    NoSecret,
    NotSupported,
    Provider,
    RemoteRef,
    Store,
    StoreContext,
    Unavailable,
    Validation,
)
from providers.find import name_matcher
from providers.gjson import get
from providers.gojson import raw_members
from providers.spec import ProviderSpec, SecretKeySelector


class ShelfSpec(ProviderSpec):
    """A shelf and the token that opens it."""

    url: str = Field(description="Address of the server, for example https://shelf.example.")
    auth: SecretKeySelector = Field(description="The token.")


class ShelfProvider(Provider):
    """Reads documents from a shelf."""

    name: ClassVar[str] = "shelf"
    spec: ClassVar[type[ProviderSpec]] = ShelfSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_ONLY

    def validate_spec(self, spec: ProviderSpec, store: Store) -> list[str]:
        assert isinstance(spec, ShelfSpec)
        if not spec.url.startswith(("http://", "https://")):
            raise InvalidSpec("spec.provider.shelf.url: must begin with http:// or https://")
        return ["the token goes over the wire as it is: use https"] if spec.url.startswith("http://") else []

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> "ShelfClient":
        assert isinstance(spec, ShelfSpec)
        # Read through the resolver: when this Secret changes, the operator opens a new client.
        token = await ctx.resolver.secret_value(spec.auth, default_key="token")
        headers = {"Authorization": f"Bearer {token.decode()}"}
        timeout = aiohttp.ClientTimeout(total=ctx.options.request_timeout)
        return ShelfClient(aiohttp.ClientSession(spec.url, headers=headers, timeout=timeout), ctx)


class ShelfClient(DocumentClient[bytes]):
    """One open shelf, shared by all that read from it."""

    def __init__(self, session: aiohttp.ClientSession, ctx: StoreContext) -> None:
        self._session = session
        self._ctx = ctx

    async def read(self, ref: RemoteRef) -> bytes:
        if ref.version:
            raise NotSupported("a shelf keeps one version: leave remoteRef.version out")
        return await self._get(f"/books/{ref.key}")

    def select(self, document: bytes, ref: RemoteRef) -> bytes:
        if not ref.property:
            return document
        found = get(document.decode("utf-8", "surrogateescape"), ref.property)
        if found is None:
            raise NoSecret
        return found.text.encode("utf-8", "surrogateescape")

    def select_map(self, document: bytes, ref: RemoteRef) -> dict[str, bytes]:
        return raw_members(self.select(document, ref), "reading a document of the shelf")

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        if find.name_regexp is None:
            raise NotSupported("a shelf finds by name only: set find.name.regexp")
        matches = name_matcher(find.name_regexp)
        names = (await self._get("/books")).decode().split()
        return {name: await self._get(f"/books/{name}") for name in names if matches(name)}

    async def validate(self) -> Validation:
        await self._get("/books")
        return Validation()

    async def aclose(self) -> None:
        await self._session.close()

    async def _get(self, path: str) -> bytes:
        error: Exception | None = None
        try:
            async with self._session.get(path) as response:
                if response.status == 404:
                    raise NoSecret
                if response.status in (401, 403):
                    raise AccessDenied("the shelf refuses the token: check the Secret of spec.provider.shelf.auth")
                if response.status != 200:
                    raise Unavailable(f"the shelf answers {response.status}")
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as failure:
            error = failure
            raise Unavailable(f"the shelf cannot be reached: {type(failure).__name__}") from failure
        except Exception as failure:
            error = failure
            raise
        finally:
            self._ctx.calls.observe("shelf", "Get", error)
