"""Syntax of client-provided URLs, and the IP addresses and names they may have.

Nothing here looks up a name.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from antiphon.errors import InvalidRequest

if TYPE_CHECKING:
    import httpx2

Address = IPv4Address | IPv6Address

_URL = re.compile(
    # The authority must be ASCII without user information, percent signs and backslashes: parsers
    # differ in how they read those (CVE-2026-24779).
    r"(?i:https?)://(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][^\x00-\x20\x7f-\xa0\\\s]*)?"
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_URL = 8192
_MAX_NAME = 253

_PRIVATE_NAMES = frozenset({"localhost", "localdomain", "local", "internal", "lan", "intranet", "home.arpa"})
"""Names, and parents of names, that belong to this machine or its network.

RFC 6761, 6762 and 8375 define them. ICANN reserves `.internal`, which clouds use for metadata servers.
"""

_BLOCKED = tuple(
    ip_network(block)
    for block in (
        # IANA's special-purpose registries, listed here so that every Python version gives the same result.
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Teredo and the rest of 2001::/23, documentation, 6to4.
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        "168.63.129.16/32",  # Azure's platform server, reachable from every virtual machine there.
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
"""The global unicast addresses assigned so far; no local or multicast ones."""
_NAT64 = IPv6Network("64:ff9b::/96")


def parse_url(url: str, param: str | None) -> "httpx2.URL":
    """Parse a client-provided URL strictly.

    The only valid form is `http(s)://HOST[:PORT][/...]`, with the host as an ASCII name, a dotted IPv4
    address or an IPv6 address in brackets. Connect to the returned URL, not to `url`.

    Raises:
        InvalidRequest: The URL has any other form.
    """
    import httpx2  # Imported late: most requests name no URL, and the import slows down startup.

    match = _URL.fullmatch(url) if len(url) <= _MAX_URL else None
    if match is None:
        raise _invalid(param, _reason(url))
    if match["port"] and not 0 < int(match["port"]) < 65536:
        raise _invalid(param, "the port must be between 1 and 65535")
    host = (match["v6"] or match["name"]).lower()
    if match["name"] and not _is_address(host) and not is_name(host):
        raise _invalid(param, "the host is neither a name nor an IP address in its usual form")
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise _invalid(param, "it cannot be parsed") from error
    if parsed.raw_host.decode().lower() != host or parsed.userinfo:
        raise _invalid(param, "its host is ambiguous")
    return parsed


def is_name(host: str) -> bool:
    """Return whether a lower-case host is a DNS name and not a disguised IPv4 address.

    The C library reads a host whose last label is a number as an address: `2130706433`, `0x7f.1`, `127.1.`.
    """
    labels = host.removesuffix(".").split(".")
    well_formed = len(host) <= _MAX_NAME and all(_LABEL.fullmatch(label) for label in labels)
    return well_formed and not _NUMBER.fullmatch(labels[-1])


def is_private_name(host: str) -> bool:
    """Return whether a lower-case name belongs to this machine or its network.

    DNS is ignored: such a name is private even if it resolves to a public address.
    """
    name = host.removesuffix(".")
    return any(name == private or name.endswith(f".{private}") for private in _PRIVATE_NAMES)


def address_of(text: str) -> Address:
    """Return the address that receives packets sent to `text`.

    This is the embedded IPv4 address if an IPv6 address has one.

    Raises:
        ValueError: The text isn't an IP address, or it has a zone (`fe80::1%eth0`).
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        raise ValueError("an address with a zone belongs to the local network")
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    # RFC 6052: the form that DNS64 gives an IPv4 address in a network with only IPv6.
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def is_public(address: Address) -> bool:
    """Return whether an address is a public unicast address.

    Private, link-local, reserved and shared addresses aren't.
    """
    if any(address in block for block in _BLOCKED if block.version == address.version):
        return False
    return address.is_global and (address.version == 4 or address in _GLOBAL_V6)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _reason(url: str) -> str:
    """Return the reason why a URL doesn't have the valid form."""
    if len(url) > _MAX_URL:
        return f"it is longer than {_MAX_URL} characters"
    if not url.lower().startswith(("http://", "https://")):
        return "it must begin with http:// or https://"
    authority = re.split(r"[/?#]", url.split("://", 1)[1], maxsplit=1)[0]
    if "@" in authority:
        return "it must not contain a user name or a password"
    if not authority.isascii():
        return "the host must be ASCII; write a name in its xn-- form"
    return "it contains an invalid character: a backslash, a space or a control character"


def _invalid(param: str | None, reason: str) -> InvalidRequest:
    where = f"Invalid '{param}'. " if param else ""
    message = f"{where}Expected a valid URL, but got a value with an invalid format: {reason}."
    return InvalidRequest(message, param=param, code="invalid_value")
