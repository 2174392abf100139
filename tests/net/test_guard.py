"""S2 to S15: no URL of a client leads to this machine or its network. See also `test_fetch.py`."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from antiphon.errors import AddressNotAllowed, AddressNotFetched, ConfigError, InvalidRequest
from antiphon.net import guard as guard_module
from antiphon.net.addresses import Address, address_of
from antiphon.net.guard import Guard
from antiphon.net.transport import GuardedTransport
from tests.net.canary import (
    PARAM,
    PUBLIC,
    WAYS,
    Canary,
    Names,
    Way,
    by_check,
    by_fetch,
    by_judge,
    by_transport,
    go,
)
from tests.support.upstream import Answer, Upstream, reply

ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Yield a private server; no connection may have been made to it at the end."""
    with Canary() as canary:
        yield canary
        assert canary.is_alive


def refused(way: Way, url: str, guard: Guard | None = None) -> AddressNotAllowed:
    with pytest.raises(AddressNotAllowed) as caught:
        go(way, guard or Guard(resolve=Names()), url)
    error = caught.value
    assert (error.status, error.type, error.code) == (400, "invalid_request_error", "address_not_allowed")
    assert error.param == PARAM
    assert "--allow-host" in error.message
    return error


def malformed(way: Way, url: str) -> None:
    """Assert that a malformed URL is refused; the transport gets it from httpx2, which may refuse it too."""
    with pytest.raises((InvalidRequest, httpx2.InvalidURL, httpx2.TransportError)) as caught:
        go(way, Guard(resolve=Names()), url)
    if way is not by_transport:
        assert isinstance(caught.value, InvalidRequest)
        assert (caught.value.code, caught.value.param) == ("invalid_value", PARAM)


def test_a_canary_notices_a_connection() -> None:
    with Canary() as canary:
        guard = Guard(["127.0.0.1"])
        with pytest.raises(httpx2.ReadTimeout):
            go(_impatient, guard, f"http://127.0.0.1:{canary.port}/")
        assert not canary.is_alive


async def _impatient(guard: Guard, url: str) -> None:
    async with httpx2.AsyncClient(transport=GuardedTransport(guard), timeout=0.2) as client:
        await client.get(url)


@ways
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "a.localhost"])
def test_S2_loopback(way: Way, host: str, canary: Canary) -> None:
    refused(way, f"http://{host}:{canary.port}/")


@ways
def test_S2_loopback_by_a_name_that_only_a_name_server_knows(way: Way, canary: Canary) -> None:
    names = Names(evil_test=[["127.0.0.1"]])
    error = refused(way, f"http://evil.test:{canary.port}/", Guard(resolve=names))
    assert "evil.test" in error.message
    assert "127" not in error.message


@ways
@pytest.mark.parametrize("address", ["10.0.0.5", "172.16.0.1", "172.31.255.254", "192.168.1.1"])
def test_S3_private_networks(way: Way, address: str) -> None:
    refused(way, f"http://{address}/")
    refused(way, "http://evil.test/", Guard(resolve=Names(evil_test=[[address]])))


@ways
@pytest.mark.parametrize(
    "address", ["0.0.0.0", "169.254.7.7", "100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"]
)
def test_S4_link_local_shared_and_reserved(way: Way, address: str) -> None:
    refused(way, f"http://{address}/")
    refused(way, "http://evil.test/", Guard(resolve=Names(evil_test=[[address]])))


@ways
@pytest.mark.parametrize("name", ["metadata.google.internal", "Metadata.Google.Internal.", "printer.local"])
def test_S4_names_of_the_local_network_are_not_even_looked_up(way: Way, name: str) -> None:
    names = Names(metadata_google_internal=[[PUBLIC]], printer_local=[[PUBLIC]])
    refused(way, f"http://{name}/", Guard(resolve=names))
    assert names.asked == []


@ways
@pytest.mark.parametrize("address", ["::1", "::", "0:0:0:0:0:0:0:1", "fe80::1", "fc00::1", "ff02::1"])
def test_S5_loopback_and_local_of_ipv6(way: Way, address: str) -> None:
    refused(way, f"http://[{address}]/")
    refused(way, "http://evil.test/", Guard(resolve=Names(evil_test=[[address]])))


@ways
def test_S5_an_address_with_a_zone(way: Way) -> None:
    refused(way, "http://evil.test/", Guard(resolve=Names(evil_test=[["fe80::1%eth0"]])))
    malformed(way, "http://[fe80::1%25eth0]/")


@ways
@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::FFFF:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
    ],
)
def test_S6_ipv4_inside_ipv6(way: Way, address: str) -> None:
    refused(way, f"http://[{address}]/")
    refused(way, "http://evil.test/", Guard(resolve=Names(evil_test=[[address]])))


@ways
@pytest.mark.parametrize(
    "host",
    ["2130706433", "0177.0.0.1", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "017700000001", "0x7F.0.0.0x1"],
)
def test_S7_decimal_octal_and_hexadecimal_addresses(way: Way, host: str, canary: Canary) -> None:
    malformed(way, f"http://{host}:{canary.port}/")


@ways
def test_S8_a_trailing_dot(way: Way, canary: Canary) -> None:
    refused(way, f"http://localhost.:{canary.port}/")
    malformed(way, f"http://127.0.0.1.:{canary.port}/")
    malformed(way, f"http://2130706433.:{canary.port}/")
    refused(way, f"http://evil.test.:{canary.port}/", Guard(resolve=Names(evil_test=[["127.0.0.1"]])))


@ways
@pytest.mark.parametrize("user", ["good.test", "good.test:80", "", ":", "good.test%40"])
def test_S9_user_information(way: Way, user: str, canary: Canary) -> None:
    malformed(way, f"http://{user}@127.0.0.1:{canary.port}/")


@ways
@pytest.mark.parametrize(
    "url",
    [
        "http://good.test\\@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@good.test/",
        "http:\\\\127.0.0.1:{port}/",
        "http:/127.0.0.1:{port}/",
        "http:127.0.0.1:{port}/",
        "http:///127.0.0.1:{port}/",
        "http://good.test/\\..\\x",
        " http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/ ",
        "http://127.0.0.1\t:{port}/",
        "http://good.test\r\n.127.0.0.1:{port}/",
        "http://127.0.0.1\x00.good.test:{port}/",
        "http://１２７.0.0.1:{port}/",
        "http://127。0。0。1:{port}/",
        "http://lоcalhost:{port}/",
        "http://127.0.0.1%2f@good.test:{port}/",
        "http://%6c%6f%63alhost:{port}/",
        "http://[::1]good.test:{port}/",
        "http://[127.0.0.1]:{port}/",
        "http://a..b:{port}/",
        "http://good.test:0/",
        "http://good.test:65536/",
        "http://good.test:8o/",
        "http://good.test:/x",
        "http://",
        "http://:80/",
        "",
        "http://good.test/" + "a" * 9000,
        "http://" + "a" * 64 + ".test/",
    ],
)
def test_S10_what_parsers_read_differently(way: Way, url: str, canary: Canary) -> None:
    malformed(way, url.format(port=canary.port))


@pytest.fixture
def site() -> Iterator[Upstream]:
    """Yield a server that the operator has allowed, as `good.test`."""
    with Upstream() as site:
        yield site


def good(site: Upstream, **names: list[list[str]]) -> Guard:
    return Guard([f"good.test:{site.port}"], Names(good_test=[["127.0.0.1"]], **names))


def redirect(location: str, status: int = 302) -> Answer:
    return Answer([b"moved"], status, {"Location": location}, length=True)


following = pytest.mark.parametrize("way", [by_fetch, by_transport], ids=lambda way: way.__name__)


@following
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_S11_a_redirect_to_a_private_address(way: Way, status: int, site: Upstream, canary: Canary) -> None:
    site.script(redirect(f"http://127.0.0.1:{canary.port}/", status))
    refused(way, f"http://good.test:{site.port}/", good(site))
    assert len(site.requests) == 1


@following
def test_S11_a_redirect_to_a_name_of_a_private_address(way: Way, site: Upstream, canary: Canary) -> None:
    site.script(redirect(f"//evil.test:{canary.port}/x"))
    refused(way, f"http://good.test:{site.port}/", good(site, evil_test=[["127.0.0.1"]]))


@following
def test_S11_an_allowed_host_is_allowed_at_its_port_only(way: Way, site: Upstream, canary: Canary) -> None:
    site.script(redirect(f"http://good.test:{canary.port}/"))
    refused(way, f"http://good.test:{site.port}/", good(site))


@following
@pytest.mark.parametrize("location", ["http://user@127.0.0.1/", "http://2130706433/", "file:///etc/passwd"])
def test_S11_a_redirect_is_parsed_as_strictly(way: Way, location: str, site: Upstream) -> None:
    site.script(redirect(location))
    with pytest.raises((InvalidRequest, httpx2.UnsupportedProtocol)):
        go(way, good(site), f"http://good.test:{site.port}/")


@pytest.mark.parametrize(
    "answers", [[[PUBLIC], ["127.0.0.1"]], [[PUBLIC, "127.0.0.1"]], [["127.0.0.1", PUBLIC]]]
)
def test_S12_a_name_that_leads_elsewhere_the_second_time(answers: list[list[str]], canary: Canary) -> None:
    async def checked_then_called() -> None:
        guard = Guard(resolve=Names(evil_test=answers))
        await by_check(guard, f"http://evil.test:{canary.port}/")
        await by_transport(guard, f"http://evil.test:{canary.port}/")

    with pytest.raises(AddressNotAllowed):
        asyncio.run(checked_then_called())


@following
def test_S12_a_connection_is_made_to_what_was_judged(way: Way, site: Upstream) -> None:
    """The name is looked up once; the answer to a second look-up is an address without a server."""
    site.script(reply({}))
    names = Names(good_test=[["127.0.0.1"], ["127.0.0.2"]])
    go(way, Guard(["good.test"], names), f"http://good.test:{site.port}/path?query")
    assert names.asked == ["good.test"]
    assert site.requests[0].headers["host"] == f"good.test:{site.port}"
    assert site.requests[0].path == "/path?query"


@ways
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://good.test/",
        "ws://good.test/",
        "data:,x",
        "//x.test",
    ],
)
def test_S13_other_schemes(way: Way, url: str) -> None:
    with pytest.raises((InvalidRequest, httpx2.UnsupportedProtocol)):
        go(way, Guard(resolve=Names()), url)


@ways
def test_S14_what_the_operator_allows(way: Way, site: Upstream) -> None:
    site.script(reply({}))
    for entry in ("127.0.0.1", f"127.0.0.1:{site.port}", "127.0.0.0/8", "inner.test", "*.test"):
        names = Names(inner_test=[["127.0.0.1"]])
        host = "inner.test" if "test" in entry else "127.0.0.1"
        go(way, Guard([entry], names), f"http://{host}:{site.port}/")


@ways
@pytest.mark.parametrize("entry", ["127.0.0.2", "127.0.0.1:1", "10.0.0.0/8", "*.inner.test", "::1", "test"])
def test_S14_and_what_not(way: Way, entry: str, canary: Canary) -> None:
    names = Names(inner_test=[["127.0.0.1"]])
    for host in ("127.0.0.1", "inner.test"):
        refused(way, f"http://{host}:{canary.port}/", Guard([entry], names))


def test_S14_a_name_that_leads_into_an_allowed_network(site: Upstream) -> None:
    site.script(reply({}))
    guard = Guard(["127.0.0.0/8"], Names(localhost=[["127.0.0.1"]], evil_test=[["127.0.0.1", "10.0.0.1"]]))
    go(by_fetch, guard, f"http://localhost:{site.port}/")
    refused(by_fetch, f"http://evil.test:{site.port}/", guard)


@pytest.mark.parametrize(
    "entry", ["", "http://x.test/", "a b", "*", "x.test:port", "x.test:0", "10.0.0.0/33", "a.*"]
)
def test_an_exception_that_cannot_be_read(entry: str) -> None:
    with pytest.raises(ConfigError, match="allow_hosts"):
        Guard([entry])


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://Example.test", "example.test", None),
        ("http://example.test:8080/a%20b?c=d|e#f", "example.test", 8080),
        ("http://xn--gdel-5qa.test/Gödel", "gödel.test", None),
        (f"http://{PUBLIC}/", PUBLIC, None),
        ("http://[2606:4700::1111]:80/", "2606:4700::1111", None),
        ("HTTPS://a_b.test?x", "a_b.test", None),
    ],
)
def test_public_addresses_pass(url: str, host: str, port: int | None) -> None:
    names = Names(**{name: [[PUBLIC, "2606:4700::1111"]] for name in ("example_test", "xn--gdel-5qa_test")})
    checked = asyncio.run(Guard(resolve=names).check(url, param=None))
    assert (checked.host, checked.port) == (host, port)


def test_a_name_that_is_not_found_is_for_the_connection_to_say() -> None:
    guard = Guard(resolve=Names())
    go(by_check, guard, "http://nowhere.test/")
    with pytest.raises(httpx2.ConnectError, match=r"nowhere\.test wasn't found"):
        go(by_transport, guard, "http://nowhere.test/")


def test_a_name_that_is_not_found_is_not_for_a_backend_to_find() -> None:
    guard = Guard(["allowed.test"], Names())
    with pytest.raises(AddressNotFetched) as caught:
        go(by_judge, guard, "http://nowhere.test/")
    assert caught.value.message == "Error while looking up nowhere.test: the host was not found."
    assert caught.value.param == PARAM
    go(by_judge, guard, "http://allowed.test/")


def test_a_look_up_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(guard_module, "_LOOK_UP_TIMEOUT", 0.01)
    with pytest.raises(AddressNotFetched):
        go(by_judge, Guard(resolve=never), "http://slow.test/")


@given(st.ip_addresses())
def test_no_address_that_python_calls_private_passes(
    address: Address,
) -> None:
    """The expected result is that of the standard library, which knows the same registries."""
    assume(address_of(str(address)) == address)
    try:
        asyncio.run(Guard(resolve=Names(any_test=[[str(address)]])).check("http://any.test/", param=None))
    except AddressNotAllowed:
        return
    assert address.is_global
    assert not address.is_multicast
    assert not address.is_reserved
