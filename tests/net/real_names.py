"""Look-ups with the system's resolver, in a separate network namespace; `test_real_names.py` runs it.

The network has only this machine. It has a public address, and a real DNS server with the names. The output
is one line of JSON: for each case, the status or the code of the error.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from antiphon.errors import AntiphonError
from antiphon.net.guard import Guard
from tests.net.canary import PUBLIC, Way, by_check, by_fetch, by_judge, by_transport
from tests.support.names import NameServer

PRIVATE_PORT = 8080
NAMES = {
    "good.example": [[PUBLIC]],
    "private.example": [["127.0.0.1"]],
    "mixed.example": [[PUBLIC, "127.0.0.1"]],
    "rebound.example": [[PUBLIC], ["127.0.0.1"]],
    "turned.example": [[PUBLIC], ["127.0.0.1"]],
    "once.example": [[PUBLIC], ["127.0.0.1"]],
}


class Site(BaseHTTPRequestHandler):
    """Public site: `/to/REST` redirects to `http://REST`, and every other path is a page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        to = self.path.removeprefix("/to/")
        self.send_response(200 if to == self.path else 302)
        if to != self.path:
            self.send_header("Location", f"http://{to}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


async def outcome(*steps: tuple[Way, str]) -> str:
    """Request URLs in these ways, one after another with one guard; return `ok` or the code of the error."""
    guard = Guard()
    try:
        for way, url in steps:
            await way(guard, url)
    except AntiphonError as error:
        return str(error.code)
    return "ok"


async def outcomes(names: NameServer) -> dict[str, str | int]:
    """Return the outcome of each case."""
    found: dict[str, str | int] = {}
    to_private = f"http://good.example/to/private.example:{PRIVATE_PORT}/"
    for way in (by_check, by_judge, by_fetch, by_transport):
        found[f"{way.__name__}: public"] = await outcome((way, "http://good.example/"))
        found[f"{way.__name__}: private"] = await outcome((way, f"http://private.example:{PRIVATE_PORT}/"))
        found[f"{way.__name__}: mixed"] = await outcome((way, "http://mixed.example/"))
    for way in (by_fetch, by_transport):
        found[f"{way.__name__}: redirected"] = await outcome((way, to_private))
    rebound = f"http://rebound.example:{PRIVATE_PORT}/"
    found["rebound after the check"] = await outcome((by_check, rebound), (by_fetch, rebound))
    turned = f"http://turned.example/to/turned.example:{PRIVATE_PORT}/"
    found["rebound before the redirect"] = await outcome((by_fetch, turned))
    found["looked up once"] = await outcome((by_fetch, "http://once.example/"))
    found["queries for once.example"] = names.asked.count("once.example")
    found["judged without a name"] = await outcome((by_judge, "http://nowhere.example/"))
    return found


def main() -> None:
    """Set up the network, and print the outcomes."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{PUBLIC}/32", "dev", "lo"], check=True)
    with tempfile.NamedTemporaryFile("w") as resolver:
        resolver.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        resolver.flush()
        subprocess.run(["mount", "--bind", resolver.name, "/etc/resolv.conf"], check=True)
        site = ThreadingHTTPServer((PUBLIC, 80), Site)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", PRIVATE_PORT)) as private, NameServer(NAMES, 53) as names:
            found = asyncio.run(outcomes(names))
            private.setblocking(False)
            try:
                private.accept()
                found["private server"] = "reached"
            except BlockingIOError:
                found["private server"] = "not reached"
        site.shutdown()
        sys.stdout.write(json.dumps(found))
        subprocess.run(["umount", "/etc/resolv.conf"], check=True)


if __name__ == "__main__":
    main()
