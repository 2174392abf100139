"""An HTTP proxy in a thread: `CONNECT` for TLS, and whole URLs for plain HTTP.

It resolves no name: `hosts` has the ports of this machine that its names lead to.
"""

import asyncio
import base64
import ssl
from collections.abc import Coroutine, Mapping
from urllib.parse import urlsplit

from tests.support.listening import Listening


class Proxy(Listening):
    """The proxy; `asked` has the first line of each request.

    Args:
        hosts: For each `name:port`, the local port to connect to.
        login: `USER:PASSWORD` that it requires.
        tls: The context for TLS between client and proxy.
    """

    def __init__(
        self, hosts: Mapping[str, int], *, login: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls=tls)
        self.asked: list[str] = []
        self._hosts = hosts
        self._login = login

    @property
    def url(self) -> str:
        """The proxy's URL, with its login."""
        login = "" if self._login is None else f"{self._login}@"
        return f"{'https' if self._tls else 'http'}://{login}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client, or refuse to."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        self.asked.append(first)
        method, url, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if self._login is not None:
            basic = base64.b64encode(self._login.encode()).decode()
            if headers.get("proxy-authorization") != f"Basic {basic}":
                writer.write(_refusal("407 Proxy Authentication Required"))
                return
        parts = urlsplit(url)
        place = url if method == "CONNECT" else f"{parts.hostname}:{parts.port or 80}"
        if place not in self._hosts:
            writer.write(_refusal("502 Bad Gateway"))
            return
        reader2, writer2 = await asyncio.open_connection("127.0.0.1", self._hosts[place])
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [line for line in lines if not line.lower().startswith("proxy-")]
                writer2.write(
                    "\r\n".join([f"{method} {parts.path} HTTP/1.1", *kept, "", ""]).encode("latin-1")
                )
            await _both(_copied(reader, writer2), _copied(reader2, writer))
        finally:
            writer2.close()


async def _both(*ways: Coroutine[None, None, None]) -> None:
    """Copy in both directions until one has ended."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def _refusal(status: str) -> bytes:
    body = f"<html><h1>{status}</h1></html>"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
