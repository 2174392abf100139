"""Calls and outputs of every kind."""

import msgspec
import pytest

from antiphon.engine.client.pairs import answered_id, asks_client, called_id, words_of
from antiphon.tools import registry as registry  # Registers the kinds.
from antiphon.wire.items import Item
from tests.clients.kinds import KINDS

CALLS = {
    "function_call": "function call",
    "custom_tool_call": "function call",
    "computer_call": "computer call",
    "local_shell_call": "local shell call",
    "shell_call": "shell call",
    "apply_patch_call": "apply patch call",
}


def item(kind: str) -> Item:
    found: Item = msgspec.convert(KINDS[kind], Item)
    return found


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_is_answered_by_the_output_with_its_id(kind: str) -> None:
    call, output = item(kind), item(f"{kind}_output")
    assert called_id(call) == "call_1"
    assert answered_id(output) in ("call_1", "")  # An output of a local shell may have only an `id`.
    assert (called_id(output), answered_id(call)) == (None, None)
    assert words_of(call) == words_of(output) == CALLS[kind]
    assert (asks_client([call]), asks_client([output])) == (True, False)


@pytest.mark.parametrize("kind", ["assistant", "reasoning", "web_search_call", "mcp_call", "program"])
def test_other_items_are_no_calls_for_the_client(kind: str) -> None:
    assert (called_id(item(kind)), answered_id(item(kind)), asks_client([item(kind)])) == (None, None, False)
