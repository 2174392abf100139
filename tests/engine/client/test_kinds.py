"""The table of kinds, with a kind that has only what every kind must have."""

import pytest
from msgspec import Struct

from antiphon.engine.client import kinds
from antiphon.engine.client.kinds import ClientCall, ClientKind, register_client_kind
from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.request.functions import translate_tools
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatFunction
from antiphon.wire.items import ItemStatus, ToolSearchCall, ToolSearchOutput
from antiphon.wire.tools import ProgrammaticToolCallingTool, Tool
from tests.engine.replies import CALLED, assemble, call


class _Call(ClientCall[ToolSearchCall]):
    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        self.item.arguments = arguments
        self.item.status = status
        return "is of no use" if arguments == "{}" else None


class Programs(ClientKind[ToolSearchCall, ToolSearchOutput]):
    name = "program"
    tools = (ProgrammaticToolCallingTool,)
    choices = ("programmatic_tool_calling",)
    call = ToolSearchCall
    output = ToolSearchOutput

    def function(self, tool: Tool, param: str) -> ChatFunction | None:
        return {"description": "Run a program"}

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[ToolSearchCall]:
        return _Call(ToolSearchCall(id=item_id, call_id=call_id, execution="client", arguments={}))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> AssemblyOptions:
    for table in ("_by_tool", "_by_call", "_by_output"):
        monkeypatch.setattr(kinds, table, dict(getattr(kinds, table)))
    register_client_kind(Programs())
    functions = translate_tools([ProgrammaticToolCallingTool()], Capabilities(), {})
    assert [*functions.tools] == ["program"]
    return AssemblyOptions(source="backend/model", tools=functions.known)


def test_the_engine_needs_nothing_but_the_kind(known: AssemblyOptions) -> None:
    reply = assemble(call(0, "call_up", "program", '{"code": 1}'), CALLED, options=known)
    assert reply.failure is None
    assert reply.types == ["output_item.added", "output_item.done"]


def test_an_error_of_the_kind_fails_the_reply(known: AssemblyOptions) -> None:
    reply = assemble(call(0, "call_up", "program", "{}"), CALLED, options=known)
    assert reply.failure is not None
    assert reply.failure.message == "backend/model: the call of the tool 'program' is of no use"


@pytest.mark.parametrize("method", ["function", "begin", "arguments", "answer"])
def test_a_kind_must_define_its_methods(method: str) -> None:
    given = {"function": (None, ""), "begin": (None, "", "")}.get(method, (None,))
    with pytest.raises(TypeError, match="ClientKind has no"):
        getattr(ClientKind[Struct, Struct](), method)(*given)
