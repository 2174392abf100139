"""Protection against server-side request forgery (SSRF).

The guard checks client-provided URLs at connection time: it looks up the name, checks every address, and
returns the addresses to connect to. No second look-up could give other addresses.
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

from antiphon.errors import AddressNotAllowed, AddressNotFetched, ConfigError
from antiphon.net.addresses import Address, address_of, is_name, is_private_name, is_public, parse_url

if TYPE_CHECKING:
    import httpx2

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""A name look-up: returns the IP addresses as text, or raises `OSError`."""

_MAX_ADDRESSES = 8
"""The most addresses of one name that a connection tries."""
_LOOK_UP_TIMEOUT = 10.0
"""Time limit in seconds of a look-up for a URL that a backend will fetch."""
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


async def resolve(host: str, port: int) -> list[str]:
    """Look up a name with the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class Allowed:
    """An entry of `allow_hosts`: a name or a network, optionally with a port."""

    pattern: str | IPv4Network | IPv6Network
    """A lower-case name, `*.DOMAIN` or a network."""
    port: int | None
    """The only allowed port, or None for all."""

    @classmethod
    def read(cls, entry: str) -> "Allowed":
        """Parse `HOST`, `HOST:PORT`, `*.DOMAIN`, an address or a network.

        Raises:
            ConfigError: The entry has none of these forms.
        """
        text = entry.strip().lower()
        match = _WITH_PORT.fullmatch(text)
        host, port = (match["v6"] or match["host"], int(match["port"])) if match else (text.strip("[]"), None)
        try:
            return cls(ip_network(host, strict=False), port)
        except ValueError:
            name = host.removesuffix(".")
        if not is_name(name.removeprefix("*.")) or port == 0:
            raise ConfigError(
                f"allow_hosts: {entry!r} is invalid; use HOST, HOST:PORT, *.DOMAIN, an address or a network"
            )
        return cls(name, port)

    def fits_name(self, name: str, port: int) -> bool:
        """Return whether the entry allows a lower-case name, at any address."""
        if not isinstance(self.pattern, str) or self.port not in (None, port):
            return False
        if self.pattern.startswith("*."):
            return name.endswith(self.pattern[1:])
        return name == self.pattern

    def fits_address(self, address: Address, port: int) -> bool:
        """Return whether the entry allows an address, under any name."""
        if isinstance(self.pattern, str) or self.port not in (None, port):
            return False
        return address.version == self.pattern.version and address in self.pattern


class Guard:
    """A check of client-provided URLs and their addresses, shared by the whole server."""

    def __init__(self, allow_hosts: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        """Create a guard.

        Args:
            allow_hosts: The operator's exceptions.
            resolve: The name look-up.

        Raises:
            ConfigError: An entry of `allow_hosts` is invalid.
        """
        self._allowed = [Allowed.read(entry) for entry in allow_hosts]
        self._resolve = resolve

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS context, created once because loading the authorities takes 20 ms."""
        import httpx2

        return httpx2.create_ssl_context()

    async def check(self, url: str, *, param: str | None) -> "httpx2.URL":
        """Check a URL early, so that the client gets an error that names `param`.

        A name that isn't found passes: connecting to it fails later. `GuardedTransport` checks the connection
        again.

        Raises:
            InvalidRequest: The URL is malformed.
            AddressNotAllowed: The URL leads to a forbidden address.
        """
        parsed = parse_url(url, param)
        port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
        try:
            await self.addresses(parsed.raw_host.decode(), port, param=param)
        except OSError:
            return parsed
        return parsed

    async def judge(self, url: str, param: str) -> None:
        """Check a URL that a backend will fetch, which looks up the name itself.

        A name must therefore be found here: the backend's network may have names of its own. A host that the
        operator allows by its name isn't looked up.

        Raises:
            InvalidRequest: The URL is malformed.
            AddressNotAllowed: The URL leads to a forbidden address.
            AddressNotFetched: The name isn't found.
        """
        parsed = parse_url(url, param)
        host, port = parsed.raw_host.decode(), parsed.port or {"http": 80, "https": 443}[parsed.scheme]
        if self._allows_name(host.lower().removesuffix("."), port):
            return
        try:
            async with asyncio.timeout(_LOOK_UP_TIMEOUT):
                await self.addresses(host, port, param=param)
        except OSError as error:
            raise AddressNotFetched(
                f"Error while looking up {host[:253]}: the host was not found.", param=param
            ) from error

    async def addresses(self, host: str, port: int, *, param: str | None = None) -> list[str]:
        """Return the addresses to connect to, all of them checked.

        Args:
            host: A name, or an IP address without brackets.
            port: The port to connect to.
            param: The request parameter that errors name.

        Raises:
            AddressNotAllowed: At least one of the addresses is forbidden.
            OSError: The name isn't found.
        """
        refused = AddressNotAllowed(host, param=param)
        name = host.lower().removesuffix(".")
        is_allowed = self._allows_name(name, port)
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

    def _allows_name(self, name: str, port: int) -> bool:
        return any(entry.fits_name(name, port) for entry in self._allowed)

    def _allows(self, address: Address, port: int) -> bool:
        return any(entry.fits_address(address, port) for entry in self._allowed)

    def _allows_networks(self) -> bool:
        return any(not isinstance(entry.pattern, str) for entry in self._allowed)
