"""The client against real MCP servers in another process, over every transport."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from antiphon.errors import (
    AddressNotAllowed,
    AntiphonError,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.net.guard import Guard
from antiphon.settings.tools import McpServerSettings
from antiphon.settings.values import Secret
from antiphon.tools.mcp.client import McpClient
from antiphon.tools.mcp.servers import McpServer
from antiphon.wire.json import JSON, JSONObject
from tests.mcp_servers.http import CARELESS
from tests.mcp_servers.running import ROOT, Servers, servers
from tests.mcp_servers.tools import MANY

Use = Callable[[McpClient], Awaitable[JSON]]
Settings = JSON


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("mcp")) as started:
        yield started


def use(work: Use, settings: McpServerSettings, name: str | None = "docs") -> JSON:
    """Run `work` with a client; a server without a name has its URL from a client."""

    async def run() -> JSON:
        server = McpServer("docs", settings, "tools[0].server_url", name)
        client = McpClient(server, Guard(), asyncio.Semaphore(8))
        try:
            return await asyncio.wait_for(work(client), 20)
        finally:
            await client.close()
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert left == [], "nothing goes on after the end"

    return asyncio.run(run())


def at(running: Servers, path: str, timeout: float = 10, **settings: Settings) -> McpServerSettings:
    return McpServerSettings(url=f"{running.url}{path}", timeout=timeout, **settings)


async def names(client: McpClient) -> list[str]:
    return [tool["name"] for tool in (await client.list_tools())["tools"]]


async def boiling_point(client: McpClient) -> JSONObject:
    return await client.call_tool("get_boiling_point", {"liquid_name": "myawesomeliquid"})


BASIC = ["greet_everyone", "get_boiling_point"]


@pytest.mark.parametrize("transport", ["auto", "http"])
def test_streamable_http_without_one_request_too_many(running: Servers, transport: str) -> None:
    before = len(running.log())

    async def work(client: McpClient) -> None:
        assert await names(client) == BASIC
        result = await boiling_point(client)
        assert result["content"][0]["text"] == "-100"
        assert result["isError"] is False

    use(work, at(running, "/basic/mcp", transport=transport))
    assert running.asked(before) == ["initialize", "tools/list", "tools/call"]


@pytest.mark.parametrize("transport", ["auto", "sse"])
def test_sse_is_what_is_left_where_posts_are_not_taken(running: Servers, transport: str) -> None:
    async def work(client: McpClient) -> None:
        assert await names(client) == BASIC
        assert (await boiling_point(client))["content"][0]["text"] == "-100"

    use(work, at(running, "/basic/sse", transport=transport))


def test_a_program_over_stdio_gets_its_variables() -> None:
    settings = McpServerSettings(
        command=sys.executable, args=("-m", "tests.mcp_servers.stdio"), env={"SECRET": Secret("told")}
    )
    python_path = settings.env | {"PYTHONPATH": Secret(str(ROOT))}
    settings = McpServerSettings(command=settings.command, args=settings.args, env=python_path)

    async def work(client: McpClient) -> None:
        assert await names(client) == BASIC
        assert (await boiling_point(client))["content"][0]["text"] == "-100"

    use(work, settings)


def test_a_program_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnreachable, match="MCP server 'docs'"):
        use(names, McpServerSettings(command=str(tmp_path / "absent")))


def test_a_server_that_knows_no_handshake_is_discovered(running: Servers) -> None:
    before = len(running.log())
    assert "speak" in use(names, at(running, "/modern/mcp"))
    assert running.asked(before) == ["initialize", "server/discover", "tools/list"]


def test_the_token_is_sent_as_bearer_and_headers_as_given(running: Servers) -> None:
    before = len(running.log())
    settings = at(
        running, "/private/basic/mcp", authorization=Secret("secret"), headers={"X-Tenant": Secret("blue")}
    )
    assert use(names, settings) == BASIC
    for entry in running.log()[before:]:
        assert entry["headers"]["authorization"] == "Bearer secret"
        assert entry["headers"]["x-tenant"] == "blue"


@pytest.mark.parametrize("path", ["/private/basic/mcp", "/private/basic/sse"])
@pytest.mark.parametrize("token", [None, Secret("wrong")])
def test_T2_a_wrong_token_is_reported_as_401(running: Servers, path: str, token: Secret | None) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        use(names, at(running, path, authorization=token))
    assert caught.value.upstream_status == 401
    assert "wrong" not in caught.value.message


def test_T1_nobody_listens() -> None:
    with pytest.raises(UpstreamUnreachable, match="MCP server 'docs': no connection"):
        use(names, McpServerSettings(url="http://127.0.0.1:9/mcp"))


@pytest.mark.parametrize(
    "path", ["/hang", "/listing_hangs/mcp"], ids=["T3_initialize_hangs", "T4_tools_list_hangs"]
)
def test_a_server_that_hangs_is_left_after_the_timeout(running: Servers, path: str) -> None:
    with pytest.raises(UpstreamTimeout, match=r"did not answer within 0\.5 s"):
        use(names, at(running, path, timeout=0.5))


def test_T5_five_thousand_tools_come_in_pages_and_in_order(running: Servers) -> None:
    assert use(names, at(running, "/many/mcp")) == [f"tool_{number}" for number in range(MANY)]


def test_T7_a_list_comes_whole_even_if_a_schema_is_none(running: Servers) -> None:
    tools = use(McpClient.list_tools, at(running, "/careless"))["tools"]
    assert {tool["name"]: tool["inputSchema"] for tool in tools} == CARELESS


def test_an_answer_that_is_not_mcp_is_reported_with_its_place(running: Servers) -> None:
    async def work(client: McpClient) -> JSONObject:
        return await client.call_tool("good", {})

    with pytest.raises(UpstreamBroken, match="it sent an invalid MCP message: content"):
        use(work, at(running, "/careless"))


def test_T8_an_error_result_is_a_result(running: Servers) -> None:
    async def work(client: McpClient) -> JSONObject:
        return await client.call_tool("get_boiling_point", {"liquid_name": "water"})

    result = use(work, at(running, "/basic/mcp"))
    assert result["isError"] is True
    assert "water is unknown" in result["content"][0]["text"]


def test_an_error_of_the_protocol_is_a_result(running: Servers) -> None:
    async def work(client: McpClient) -> JSONObject:
        return await client.call_tool("refuse", {})

    assert use(work, at(running, "/odd/mcp")) == {"error": {"code": -32602, "message": "not like this"}}


def test_T9_a_call_that_hangs_ends_and_the_connection_goes_on(running: Servers) -> None:
    async def work(client: McpClient) -> list[JSONObject | BaseException]:
        hanging = asyncio.create_task(client.call_tool("hang", {}))
        quick = await client.call_tool("count", {})
        return [quick, *await asyncio.gather(hanging, return_exceptions=True)]

    quick, hanging = use(work, at(running, "/odd/mcp", timeout=1))
    assert quick["structuredContent"] == {"count": 3}
    assert isinstance(hanging, UpstreamTimeout)


def test_T10_an_expired_session_begins_again_once(running: Servers) -> None:
    before = len(running.log())

    async def work(client: McpClient) -> JSONObject:
        await client.list_tools()
        await asyncio.to_thread(running.expire)
        return await boiling_point(client)

    assert use(work, at(running, "/basic/mcp"))["content"][0]["text"] == "-100"
    assert running.asked(before) == [
        *("initialize", "tools/list"),
        *("tools/call", "initialize", "tools/call"),
    ]


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/refuse", UpstreamRefused, "HTTP status 500"),
        ("/nonsense", UpstreamBroken, "content type"),
        ("/absent", UpstreamRefused, "HTTP status 404"),
        ("/huge", UpstreamBroken, "larger than"),
        ("/compressed", UpstreamUnreachable, "RemoteProtocolError"),
    ],
)
def test_a_server_that_is_not_mcp_is_reported(
    running: Servers, path: str, error: type[AntiphonError], words: str
) -> None:
    with pytest.raises(error, match=words):
        use(names, at(running, path))


def test_calls_share_one_connection_and_wait_for_a_slot(running: Servers) -> None:
    before = len(running.log())

    async def work(client: McpClient) -> list[JSONObject]:
        return await asyncio.gather(*(boiling_point(client) for _ in range(20)))

    results = use(work, at(running, "/basic/mcp"))
    assert [result["content"][0]["text"] for result in results] == ["-100"] * 20
    assert running.asked(before) == ["initialize", *["tools/call"] * 20]


def test_S14_the_operator_may_name_a_private_server_and_a_caller_may_not(running: Servers) -> None:
    settings = at(running, "/basic/mcp")
    assert use(names, settings, name="docs") == BASIC
    before = len(running.log())
    with pytest.raises(AddressNotAllowed) as caught:
        use(names, settings, name=None)
    assert caught.value.param == "tools[0].server_url"
    assert running.log()[before:] == []


def test_nothing_is_left_of_a_call_that_is_given_up(running: Servers) -> None:
    async def work(client: McpClient) -> None:
        call = asyncio.create_task(client.call_tool("hang", {}))
        await client.call_tool("count", {})
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    use(work, at(running, "/odd/mcp"))
