"""A shelf for the tests."""

from aiohttp import web

TOKEN = "let-me-in-please"


class ShelfServer:
    """Documents by name, for those who have the token."""

    def __init__(self) -> None:
        self.books: dict[str, bytes] = {}
        self.url = ""
        self._runner = web.ServerRunner(web.Server(self._answer))

    async def __aenter__(self) -> "ShelfServer":
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def put(self, name: str, value: bytes) -> None:
        """Store a document."""
        self.books[name] = value

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if request.path == "/books":
            return web.Response(text="\n".join(self.books))
        name = request.path.removeprefix("/books/")
        if name not in self.books:
            return web.Response(status=404)
        return web.Response(body=self.books[name])
