"""HTTP/1.1 on asyncio: connections, routing, content negotiation, discovery, OpenAPI, tables, watch streams."""
