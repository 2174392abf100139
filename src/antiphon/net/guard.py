"""The one guard of addresses that callers name: nobody reaches through the server what only it can reach.

It decides at the moment of connecting: the name is looked up, every address found is judged, and the
connection goes to one of the judged addresses. There is no second look-up that could answer differently.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from antiphon.errors import AddressNotAllowed, ConfigError
from antiphon.net.addresses import Address, address_of, is_name, is_private_name, is_public, parse_url

if TYPE_CHECKING:
    import httpx2

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Looks up a name: its IP addresses as text, or `OSError`."""

_MAX_ADDRESSES = 8
"""How many addresses of one name are tried."""
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


async def resolve(host: str, port: int) -> list[str]:
    """Looks up a name as every program of this machine does."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class Allowed:
    """One entry of `allow_hosts`: a name, the end of names, or a network; and perhaps one port."""

    pattern: str | IPv4Network | IPv6Network
    port: int | None

    @classmethod
    def read(cls, entry: str) -> "Allowed":
        """Reads `HOST`, `HOST:PORT`, `*.DOMAIN`, an address or a network; raises `ConfigError`."""
        text = entry.strip().lower()
        match = _WITH_PORT.fullmatch(text)
        host, port = (match["v6"] or match["host"], int(match["port"])) if match else (text.strip("[]"), None)
        try:
            return cls(ip_network(host, strict=False), port)
        except ValueError:
            name = host.removesuffix(".")
        if not is_name(name.removeprefix("*.")) or port == 0:
            raise ConfigError(
                f"allow_hosts: {entry!r} is not HOST, HOST:PORT, *.DOMAIN, an address or a network"
            )
        return cls(name, port)

    def fits_name(self, name: str, port: int) -> bool:
        """Whether the entry allows a lower-case name, wherever it leads."""
        if not isinstance(self.pattern, str) or self.port not in (None, port):
            return False
        if self.pattern.startswith("*."):
            return name.endswith(self.pattern[1:])
        return name == self.pattern

    def fits_address(self, address: Address, port: int) -> bool:
        """Whether the entry allows an address, by whatever name."""
        if isinstance(self.pattern, str) or self.port not in (None, port):
            return False
        return address.version == self.pattern.version and address in self.pattern


class Guard:
    """Judges addresses that callers name; one for the whole server."""

    def __init__(self, allow_hosts: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        """`allow_hosts` are the operator's exceptions; raises `ConfigError` for one that cannot be read."""
        self._allowed = [Allowed.read(entry) for entry in allow_hosts]
        self._resolve = resolve

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What certificates are checked with. Loading the authorities takes 20 ms: once is enough."""
        import httpx2

        return httpx2.create_ssl_context()

    async def check(self, url: str, *, param: str | None) -> "httpx2.URL":
        """Judges a URL before anything is done, so that the caller gets an error at `param`.

        Raises `InvalidRequest` for a malformed URL and `AddressNotAllowed`. A name that is not found passes:
        that is for the connection to say. The connection is judged again, through `GuardedTransport`.
        """
        parsed = parse_url(url, param)
        port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
        try:
            await self.addresses(parsed.raw_host.decode(), port, param=param)
        except OSError:
            return parsed
        return parsed

    async def addresses(self, host: str, port: int, *, param: str | None = None) -> list[str]:
        """Returns the addresses to connect to, all of them judged.

        `host` is a name, or an address without brackets. Raises `AddressNotAllowed` if only one of them may
        not be named, and `OSError` if the name is not found.
        """
        refused = AddressNotAllowed(host, param=param)
        name = host.lower().removesuffix(".")
        is_allowed = any(entry.fits_name(name, port) for entry in self._allowed)
        if is_name(name):
            if is_private_name(name) and not is_allowed and not self._allows_networks():
                raise refused
            found = await self._resolve(host, port)
        else:
            found = [host]
        if not found:
            raise OSError(f"{host} has no address")
        for text in found:
            try:
                address = address_of(text)
            except ValueError as error:
                raise refused from error
            if not (is_allowed or is_public(address) or self._allows(address, port)):
                raise refused
        return found[:_MAX_ADDRESSES]

    def _allows(self, address: Address, port: int) -> bool:
        return any(entry.fits_address(address, port) for entry in self._allowed)

    def _allows_networks(self) -> bool:
        return any(not isinstance(entry.pattern, str) for entry in self._allowed)
