"""Choice of the server for a tool, and of its credentials."""

import msgspec
import pytest

from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.settings.tools import McpServerSettings, McpSettings, ToolsSettings
from antiphon.settings.values import Secret
from antiphon.tools.mcp.servers import check_labels, server_of
from antiphon.wire.json import JSON
from antiphon.wire.tools import FunctionTool, McpTool

SETTINGS = ToolsSettings(
    timeout=7,
    mcp=McpSettings(
        servers={
            "docs": McpServerSettings(
                url="http://10.0.0.1/mcp",
                authorization=Secret("configured"),
                headers={"X-Tenant": Secret("blue")},
            )
        }
    ),
)


def tool(**given: JSON) -> McpTool:
    return McpTool(server_label="docs" if "server_url" not in given else "theirs", **given)


def refusal(**given: JSON) -> AntiphonError:
    with pytest.raises(InvalidRequest) as caught:
        server_of(msgspec.convert({"type": "mcp", "server_label": "nobody"} | given, McpTool), 2, SETTINGS)
    return caught.value


def test_a_named_address_is_the_callers_with_the_limits_of_all_tools() -> None:
    server = server_of(
        tool(server_url="https://a.example/mcp", authorization="t", headers={"X-A": "1"}), 0, SETTINGS
    )
    assert (server.label, server.name, server.param) == ("theirs", None, "tools[0].server_url")
    assert server.settings.url == "https://a.example/mcp"
    assert server.settings.authorization == Secret("t")
    assert server.settings.headers == {"X-A": Secret("1")}
    assert server.settings.timeout == 7


def test_a_label_or_a_connector_names_a_configured_server() -> None:
    by_label = server_of(tool(), 0, SETTINGS)
    by_connector = server_of(McpTool(server_label="other", connector_id="docs"), 0, SETTINGS)
    assert (by_label.name, by_connector.name) == ("docs", "docs")
    assert by_connector.label == "other"
    assert by_label.settings == by_connector.settings == SETTINGS.mcp.servers["docs"]


def test_an_address_goes_before_a_configured_server_of_the_same_name() -> None:
    server = server_of(McpTool(server_label="docs", server_url="https://a.example"), 0, SETTINGS)
    assert server.name is None
    assert server.settings.authorization is None


def test_the_callers_token_goes_before_the_configured_one_and_its_headers_after() -> None:
    server = server_of(tool(authorization="mine", headers={"x-tenant": "red", "X-More": "1"}), 0, SETTINGS)
    assert server.settings.authorization == Secret("mine")
    assert server.settings.headers == {"X-Tenant": Secret("blue"), "X-More": Secret("1")}


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_token_in_the_headers_goes_before_the_configured_one_where_it_is_accepted(name: str) -> None:
    given = tool(headers={name: "Bearer mine"})
    server = server_of(given, 0, SETTINGS, accepts_authorization_header=True)
    assert server.settings.authorization is None
    assert server.settings.headers == {"X-Tenant": Secret("blue"), name: Secret("Bearer mine")}


def test_an_unknown_label_is_named_with_the_configured_servers() -> None:
    assert refusal().message == (
        "Missing required parameter: 'tools[2].server_url'. No MCP server 'nobody' is configured. "
        "Use the label of a configured server ('docs'), or give 'server_url' or 'connector_id'."
    )
    with pytest.raises(InvalidRequest, match=r"is configured\. Give 'server_url' or 'connector_id'\.$"):
        server_of(McpTool(server_label="x" * 999), 0, ToolsSettings())
    many = {f"s{number:02}": McpServerSettings(url="https://a.example") for number in range(12)}
    with pytest.raises(InvalidRequest, match=r"\('s00', .*'s09' and 2 more\)"):
        server_of(McpTool(server_label="nobody"), 0, ToolsSettings(mcp=McpSettings(servers=many)))


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({}, "tools[2].server_url", "missing_required_parameter"),
        ({"connector_id": "connector_gmail"}, "tools[2].connector_id", "invalid_value"),
        ({"tunnel_id": "t"}, "tools[2].tunnel_id", "unsupported_parameter"),
        (
            {"server_url": "https://a.example", "connector_id": "docs"},
            "tools[2]",
            "mutually_exclusive_parameters",
        ),
        ({"server_url": "file:///etc/passwd"}, "tools[2].server_url", None),
        ({"server_label": "docs", "authorization": "a\nb"}, "tools[2].authorization", "invalid_value"),
        ({"headers": {"authorization": "Bearer x"}}, "tools[2].headers.authorization", "invalid_value"),
        ({"headers": {"HOST": "internal"}}, "tools[2].headers.HOST", "invalid_value"),
        ({"headers": {"a b": "x"}}, "tools[2].headers.a b", "invalid_value"),
        ({"headers": {"X-A": "x\r\nX-B: y"}}, "tools[2].headers.X-A", "invalid_value"),
    ],
)
def test_errors_are_reported_with_their_place(given: JSON, param: str, code: str | None) -> None:
    error = refusal(**given)
    assert (error.status, error.param) == (400, param)
    assert code is None or error.code == code
    assert "Bearer x" not in error.message


def test_two_servers_of_one_request_have_two_labels() -> None:
    one, other = McpTool(server_label="a"), McpTool(server_label="b")
    check_labels([one, FunctionTool(name="a"), other])
    with pytest.raises(InvalidRequest) as caught:
        check_labels([one, other, one])
    assert caught.value.param == "tools[2].server_label"


@pytest.mark.parametrize("label", ["", " ", "a b", "1a", "ä", "a\n", "_a"])
def test_a_label_is_a_name(label: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_labels([FunctionTool(name="a"), McpTool(server_label=label)])
    assert (caught.value.param, caught.value.code) == ("tools[1].server_label", "invalid_value")
