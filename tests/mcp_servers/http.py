"""A process with several MCP servers on one port: `python -m tests.mcp_servers.http FILE`.

FILE holds the descriptions of tools. Each server is at `/NAME/mcp` (streamable HTTP), some also at
`/NAME/sse`; those below `/private` need the token `secret`. `GET /log` returns the requests so far; `POST
/expire` ends all sessions.
"""

import json
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.mcp_servers import tools

TOKEN = "secret"


class Watch:
    """Middleware that logs requests, rejects those without a token, and ends sessions on request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log: list[dict[str, object]] = []
        self._sessions: set[str] = set()
        self._expired: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, headers = scope["path"], Headers(scope=scope)
        if path == "/log":
            await JSONResponse(self._log)(scope, receive, send)
            return
        if path == "/expire":
            self._expired |= self._sessions
            await Response()(scope, receive, send)
            return
        body = await Request(scope, receive).body() if scope["method"] == "POST" else b""
        message = json.loads(body) if body else {}
        rpc = message.get("method")
        meta = (message.get("params") or {}).get("_meta")
        entry = {"http": scope["method"], "path": path, "rpc": rpc, "headers": dict(headers), "meta": meta}
        self._log.append(entry)
        refusal = self._refusal(path, headers, message)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive) if body else receive, send)

    def _refusal(self, path: str, headers: Headers, message: dict[str, object]) -> Response | None:
        if path.startswith("/private") and headers.get("authorization") != f"Bearer {TOKEN}":
            return Response("no", status_code=401)
        session = headers.get("mcp-session-id", "")
        self._sessions.add(session)
        if session and session in self._expired:
            return Response(status_code=404)
        if path.startswith("/modern") and message.get("method") == "initialize":
            error = {"code": -32601, "message": "Method not found"}
            return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error})
        return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a channel with the body again, followed by the remaining messages."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def hang(request: Request) -> Response:
    await anyio.sleep_forever()
    raise AssertionError


async def refuse(request: Request) -> Response:
    return Response("broken", status_code=500)


async def nonsense(request: Request) -> Response:
    return HTMLResponse("<h1>Welcome</h1>")


async def compressed(request: Request) -> Response:
    return Response(b"x", headers={"content-encoding": "br", "content-type": "application/json"})


async def huge(request: Request) -> Response:
    return Response(b'{"jsonrpc": "2.0", "x": "' + b"x" * 20_000_000, media_type="application/json")


CARELESS = {
    "good": {"type": "object", "properties": {"x": {"type": "string"}}},
    "no_type": {},
    "array": {"type": "array"},
    "no_mapping": {"type": "object", "properties": ["x"]},
    "no_schema": None,
}
"""Schemas that the SDK's servers refuse to send, but others send."""


async def careless(request: Request) -> Response:
    """Answer like a server that is written without the SDK."""
    message = await request.json()
    if "id" not in message:
        return Response(status_code=202)
    listed = [{"name": name, "inputSchema": schema} for name, schema in CARELESS.items()]
    results: dict[str, dict[str, object]] = {
        "initialize": {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "careless", "version": "1"},
        },
        "tools/list": {"tools": listed},
        "tools/call": {"content": "not a list"},
    }
    result = results[message["method"]]
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": result})


def app(descriptions: dict[str, str]) -> ASGIApp:
    high = {"workflow": tools.workflow(descriptions), "basic": tools.basic(descriptions)}
    low = {"odd": tools.odd(), "many": tools.many(), "listing_hangs": tools.listing_hangs()}
    low["modern"] = tools.odd()
    routes: list[BaseRoute] = [
        Route(f"/{endpoint.__name__}", endpoint, methods=["GET", "POST"])
        for endpoint in (hang, refuse, nonsense, compressed, huge, careless)
    ]
    for name, server in high.items():
        inner = [*server.streamable_http_app().routes, *server.sse_app().routes]
        routes += [Mount(f"/{name}", routes=inner), Mount(f"/private/{name}", routes=inner)]
    routes += [Mount(f"/{name}", routes=server.streamable_http_app().routes) for name, server in low.items()]

    managers = [server.session_manager for server in high.values()]
    managers += [server.session_manager for server in low.values()]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            for manager in managers:
                await stack.enter_async_context(manager.run())
            yield

    return Watch(Starlette(routes=routes, lifespan=lifespan))


def main() -> None:
    descriptions = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app(descriptions), log_level="error")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
