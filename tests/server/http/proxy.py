"""A real nginx in front of our connections, and the requests that both count."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from antiphon.server.http.connection import connections
from tests.server.http.corpus.case import Case
from tests.server.http.raw import Echo, target

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
"""The program, if it is installed; its folder is often on root's path alone."""

# The time limits end soon what clients leave unfinished. The first line of a connection, which nginx reads,
# names the case by a number. Each request gets an id that no client knows.
CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log stderr notice;
events {{ worker_connections 4096; }}
http {{
  log_format seen escape=json '{{"case":"$proxy_protocol_port","id":"$request_id","method":"$request_method",'
    '"target":"$request_uri","status":"$upstream_status","seen":"$upstream_http_x_seen"}}';
  access_log {folder}/access.log seen;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s; send_timeout 1s;
  lingering_timeout 1s; proxy_read_timeout 2s;
  large_client_header_buffers 8 128k; ignore_invalid_headers off; underscores_in_headers on;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream antiphon {{ server 127.0.0.1:{port}; keepalive 8; }}
  proxy_http_version 1.1;
  proxy_set_header Host $host; proxy_set_header X-Request-Id $request_id;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
  server {{
    listen unix:{folder}/on.sock proxy_protocol; server_name h;
    location / {{ proxy_pass http://antiphon; }}
  }}
  server {{
    listen unix:{folder}/off.sock proxy_protocol; server_name h;
    location / {{ proxy_pass http://antiphon; proxy_request_buffering off; proxy_buffering off; }}
  }}
}}
"""


Begun = tuple[str, str, str]
"""Id, method and target of a request that our application saw."""


@dataclass(frozen=True)
class Forwarded:
    """A request in nginx's log."""

    case: str
    id: str
    method: str
    target: str
    status: str
    """The status of our response; empty if there is none."""
    seen: str
    """The id of the request that our application answered."""


class Counting(Echo):
    """An application that notes each request by the id that nginx gave it, and returns this id."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Begun] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ids = [value for name, value in scope["headers"] if name == b"x-request-id"]
        method = scope.get("method", "GET")
        self.begun.append((b",".join(ids).decode("latin-1"), method, target(scope)))

        async def answer(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message["headers"] = [*message.get("headers", []), *((b"x-seen", each) for each in ids)]
            await send(message)

        await super().__call__(scope, receive, answer)


async def through_nginx(
    folder: Path, cases: list[Case], *, buffers: bool
) -> tuple[list[Begun], list[Forwarded]]:
    """Return the requests that our application saw, and those that nginx logged.

    Args:
        folder: An empty folder, whose path is short enough for sockets.
        cases: The inputs.
        buffers: Whether nginx reads a body whole before it forwards it.
    """
    app, state, loop = Counting(), ServerState(), asyncio.get_running_loop()
    config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
    config.load()
    factory = connections()
    server = await loop.create_server(
        lambda: factory(config=config, server_state=state, app_state={}), "127.0.0.1", 0, backlog=2048
    )
    async with server, _nginx(folder, server.sockets[0].getsockname()[1]):
        path = folder / ("on.sock" if buffers else "off.sock")
        await asyncio.gather(*(_send(path, number, case.pieces) for number, case in enumerate(cases)))
        for connection in [*state.connections]:
            connection.shutdown()
    lines = (folder / "access.log").read_text("latin-1").splitlines()
    logged = [Forwarded(**json.loads(line)) for line in lines]
    return app.begun, [_named(each, cases) for each in logged]


def _named(line: Forwarded, cases: list[Case]) -> Forwarded:
    name = cases[int(line.case)].name if line.case else ""
    return Forwarded(name, line.id, line.method, line.target, line.status, line.seen)


@asynccontextmanager
async def _nginx(folder: Path, port: int) -> AsyncGenerator[None, None]:
    assert NGINX is not None
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(NGINX, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    started = b""
    while b"getrlimit" not in started:  # Its last words before it serves.
        line = await process.stderr.readline()
        assert line, started
        started += line
    drained = asyncio.create_task(process.stderr.read())
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
        await drained


async def _send(path: Path, number: int, pieces: Iterable[bytes]) -> None:
    """Send a case, and wait until nginx closes the connection or has opened a WebSocket."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"PROXY TCP4 127.0.0.1 127.0.0.1 {number} 80\r\n".encode())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while (received := await reader.read(65536)) and not received.startswith(b"HTTP/1.1 101 "):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()
