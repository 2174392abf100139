"""Allowed tools, required approvals, and approvals of a client."""

import msgspec
import pytest

from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.tools.mcp.approvals import Policy, approved_requests, check_approvals
from antiphon.wire.items import Item, McpApprovalRequest, McpApprovalResponse, McpCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import McpTool, Tool

READS: JSONObject = {"name": "look", "annotations": {"read_only": True}}
WRITES: JSONObject = {"name": "change", "annotations": {"read_only": False}}
BARE: JSONObject = {"name": "bare", "annotations": None}
ALL = (READS, WRITES, BARE)


def policy(**given: JSON) -> Policy:
    body = {"type": "mcp", "server_label": "s"} | given
    return Policy.of(msgspec.convert(body, McpTool), 1)


@pytest.mark.parametrize(
    ("allowed_tools", "names"),
    [
        (None, ["look", "change", "bare"]),
        ({}, ["look", "change", "bare"]),
        ([], []),
        (["bare", "absent"], ["bare"]),
        ({"tool_names": ["look", "change"]}, ["look", "change"]),
        ({"read_only": True}, ["look"]),
        ({"read_only": False}, ["change", "bare"]),
        ({"tool_names": ["look", "change"], "read_only": False}, ["change"]),
    ],
)
def test_allowed_tools_in_both_forms(allowed_tools: JSON, names: list[str]) -> None:
    chosen = policy(allowed_tools=allowed_tools)
    assert [entry["name"] for entry in ALL if chosen.allows(entry)] == names


@pytest.mark.parametrize(
    ("require_approval", "names"),
    [
        (None, ["look", "change", "bare"]),
        ("always", ["look", "change", "bare"]),
        ("never", []),
        ({}, ["look", "change", "bare"]),
        ({"never": {"tool_names": ["look"]}}, ["change", "bare"]),
        ({"never": {"read_only": True}}, ["change", "bare"]),
        ({"never": {}}, ["look", "change", "bare"]),
        ({"always": {"tool_names": ["look"]}}, ["look", "change", "bare"]),
        (
            {"always": {"tool_names": ["look"]}, "never": {"tool_names": ["look", "bare"]}},
            ["look", "change"],
        ),
    ],
)
def test_require_approval_in_all_forms(require_approval: JSON, names: list[str]) -> None:
    chosen = policy(require_approval=require_approval)
    assert [entry["name"] for entry in ALL if chosen.needs_approval(entry)] == names


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"require_approval": "sometimes"}, "tools[1].require_approval"),
        ({"require_approval": {"maybe": {}}}, "tools[1].require_approval"),
        ({"require_approval": {"never": {"tool_names": "x"}}}, "tools[1].require_approval.never"),
        ({"require_approval": {"always": {"names": []}}}, "tools[1].require_approval.always"),
        ({"allowed_tools": {"tool_names": [1]}}, "tools[1].allowed_tools"),
        ({"allowed_tools": {"read_only": "yes"}}, "tools[1].allowed_tools.read_only"),
    ],
)
def test_other_forms_are_refused_with_their_place(given: JSON, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        policy(**given)
    assert (caught.value.code, caught.value.param) == ("invalid_value", param)


def asked(arguments: str = '{"a": 1, "b": 2}', label: str = "s", name: str = "change") -> McpApprovalRequest:
    return McpApprovalRequest(id="mcpr_1", arguments=arguments, name=name, server_label=label)


def answer(approve: bool = True, request_id: str = "mcpr_1") -> McpApprovalResponse:
    return McpApprovalResponse(approval_request_id=request_id, approve=approve)


def made() -> McpCall:
    return McpCall(approval_request_id="mcpr_1", arguments="{}", name="change", server_label="s")


@pytest.mark.parametrize(
    ("items", "approved"),
    [
        ([asked()], 0),
        ([asked(), answer()], 1),
        ([asked(), answer(approve=False)], 0),
        ([asked(), answer(), made()], 0),
        ([asked(label="t"), answer()], 0),
        ([asked(), answer(), answer(approve=False)], 0),
    ],
    ids=["no answer", "approved", "T12 denied", "made already", "another server", "taken back"],
)
def test_what_is_approved_and_not_made_yet(items: list[Item], approved: int) -> None:
    assert len(approved_requests(items, "s")) == approved


def test_T13_an_answer_to_no_request_of_this_context_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="No approval request found with id 'mcpr_2'") as caught:
        approved_requests([asked(), answer(request_id="mcpr_2")], "s")
    assert caught.value.param == "input"


def test_T14_a_request_that_comes_back_with_reordered_arguments_is_the_same() -> None:
    (found,) = approved_requests([asked(), asked('{"b":2,"a":1.0}'), answer()], "s")
    assert found.arguments == '{"a": 1, "b": 2}'


@pytest.mark.parametrize(
    "changed", [asked('{"a": 1, "b": 3}'), asked(name="delete"), asked(label="t"), asked("not JSON")]
)
def test_a_request_that_comes_back_changed_is_refused(changed: McpApprovalRequest) -> None:
    with pytest.raises(AntiphonError, match="was changed after it was made"):
        approved_requests([asked(), changed, answer()], "s")


def servers(*labels: str) -> list[Tool]:
    return [McpTool(server_label=label, server_url="https://example.com") for label in labels]


@pytest.mark.parametrize(
    ("context", "tools", "param"),
    [
        ([asked()], servers("t"), "tools"),
        ([asked()], [], "tools"),
        ([], servers("s"), "input"),
        ([], [], "input"),
    ],
    ids=["another server", "no server", "T13 not asked", "T13 not asked and no server"],
)
def test_an_approval_without_effect_is_refused(context: list[Item], tools: list[Tool], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_approvals([answer()], [*context, answer()], tools)
    assert caught.value.param == param


def test_an_answer_that_can_be_heeded_is_taken() -> None:
    check_approvals([answer()], [asked(), answer()], servers("t", "s"))
    check_approvals([answer()], [asked(), made(), answer()], [])
    check_approvals([answer(approve=False)], [asked(), answer(approve=False)], [])
