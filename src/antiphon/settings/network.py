"""Settings of outgoing connections: proxies, certificates and headers."""

import re
import ssl
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from antiphon.errors import ConfigError
from antiphon.ids import INSTANCE_HEADER
from antiphon.settings.values import Secret
from antiphon.wire.json import JSONObject

_DIRECT = "none"
"""Value of `proxy` for a direct connection despite the environment."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        INSTANCE_HEADER,
    }
)
"""Headers that the server sets itself: they frame the request, or belong to the connection."""


def take_proxy(values: JSONObject, url: str, env: Mapping[str, str], where: str) -> None:
    """Complete or check `proxy` in the values of a service at `url`; remove it if there is none.

    Raises:
        ConfigError: The proxy of the table or of the environment is invalid.
    """
    if "proxy" not in values:
        proxy = environment_proxy(url, env)
    elif values["proxy"].reveal() == _DIRECT:
        proxy = None
    else:
        proxy = _checked_proxy(values["proxy"].reveal(), f"{where}: proxy")
    values.pop("proxy", None)
    if proxy is not None:
        values["proxy"] = proxy


def environment_proxy(url: str, env: Mapping[str, str]) -> Secret | None:
    """Return the proxy for `url` by the variables of the environment; None for none.

    The variables are those of curl and most other programs, in lower or upper case. They don't apply to
    addresses of this machine.

    Raises:
        ConfigError: The variable has an invalid value.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().removesuffix(".")
    if _is_loopback(host) or _is_exempt(host, parts.port, _either(env, "no_proxy")[0]):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        value, variable = _either(env, name)
        if value:
            return _checked_proxy(value if "://" in value else f"http://{value}", variable)
    return None


def _either(env: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the value and the name of a variable in lower case or, without it, in upper case."""
    variable = name if env.get(name) else name.upper()
    return env.get(variable, "").strip(), variable


def _checked_proxy(url: str, where: str) -> Secret:
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        parts, is_valid = urlsplit(""), False
    if is_valid and parts.scheme.startswith("socks"):
        raise ConfigError(f"{where}: SOCKS proxies are not supported; use an HTTP proxy, or `none`")
    if not is_valid or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ConfigError(f"{where}: not the URL of a proxy; use http://[USER:PASSWORD@]HOST:PORT")
    return Secret(url.rstrip("/"))


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    """Return whether a value of `NO_PROXY` has the host.

    Its entries, separated by commas or spaces, are `*`, a domain with all names below it, an address or a
    network, each but the first perhaps with a port.
    """
    return any(_fits(entry, host, port) for entry in re.split(r"[,\s]+", exempt.lower()) if entry)


def _fits(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    match = re.fullmatch(r"\[?(?P<host>[^\]]*?)\]?:(?P<port>[0-9]+)", entry)
    if match and (entry.startswith("[") or ":" not in match["host"]):
        if int(match["port"]) != port:
            return False
        entry = match["host"]
    address = _address(host)
    if address is not None:
        try:
            network = ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
        return address.version == network.version and address in network
    domain = entry.removeprefix("*").removeprefix(".")
    return host == domain or host.endswith(f".{domain}")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def check_headers(values: JSONObject, where: str) -> None:
    """Check the headers in the values of a backend.

    Raises:
        ConfigError: A header is invalid, belongs to the server, or contradicts `api_key`.
    """
    for name, value in values.get("headers", {}).items():
        if not _TOKEN.fullmatch(name):
            raise ConfigError(f"{where}: headers: {name[:60]!r} is not the name of a header; correct it")
        if name.lower() in _OWN_HEADERS:
            raise ConfigError(f"{where}: headers: the server sets {name} itself; remove it")
        if name.lower() == "authorization" and "api_key" in values:
            raise ConfigError(
                f"{where}: both api_key and the header {name} are present; set only one of them"
            )
        if not (value.reveal().isascii() and value.reveal().isprintable()):
            raise ConfigError(f"{where}: headers: the value of {name} is not printable ASCII; correct it")


def check_connection(values: JSONObject, where: str) -> None:
    """Check that the connection settings of a backend fit together, and that its files can be read.

    Raises:
        ConfigError: They don't, or a file can't be read.
    """
    is_tls = values["base_url"].lower().startswith("https:")
    for name in ("ca_file", "client_cert"):
        if name in values and not is_tls:
            raise ConfigError(f"{where}: {name} needs TLS; use https:// in base_url")
    if "ca_file" in values and not values.get("verify", True):
        raise ConfigError(f"{where}: ca_file has no effect without verify; remove one of them")
    if "client_key" in values and "client_cert" not in values:
        raise ConfigError(f"{where}: client_key has no effect without client_cert; set client_cert")
    if "unix_socket" in values and "proxy" in values:
        raise ConfigError(f"{where}: proxy and unix_socket contradict each other; remove one of them")
    if values.get("http2") and "proxy" in values and not is_tls:
        raise ConfigError(f"{where}: http2 through a proxy needs TLS; use https:// in base_url")
    _check_files(values, where)


def _check_files(values: JSONObject, where: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = "ca_file"
    try:
        if "ca_file" in values:
            context.load_verify_locations(values["ca_file"])
        name = "client_cert"
        if "client_cert" in values:
            # An empty password instead of a question on the terminal.
            context.load_cert_chain(values["client_cert"], values.get("client_key"), password="")
    except ssl.SSLError as error:
        what = "certificates" if name == "ca_file" else "a certificate and its key without a password"
        raise ConfigError(f"{where}: {name}: expected PEM with {what}; use another file") from error
    except OSError as error:
        raise ConfigError(f"{where}: {name}: cannot be read: {error.strerror or error}") from error
