"""Control of the client's computer: `computer_call`, whose outputs are screenshots."""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from antiphon.engine.client.kinds import ClientCall, ClientKind
from antiphon.tools.client.arguments import decoded, invalid
from antiphon.wire.chat import ChatFunction
from antiphon.wire.content import InputImage, ToolOutputPart
from antiphon.wire.events import Event
from antiphon.wire.items import ComputerCall, ComputerCallOutput, ItemStatus
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import ComputerTool, ComputerUsePreviewTool, Tool

_Keys = list[str] | None | UnsetType


class _Click(Struct, tag="click"):
    x: int
    y: int
    button: Literal["left", "right", "wheel", "back", "forward"] = "left"
    keys: _Keys = UNSET


class _DoubleClick(Struct, tag="double_click"):
    x: int
    y: int
    keys: _Keys = UNSET


class _Point(Struct):
    x: int
    y: int


class _Drag(Struct, tag="drag"):
    path: list[_Point]
    keys: _Keys = UNSET


class _Keypress(Struct, tag="keypress"):
    keys: list[str]


class _Move(Struct, tag="move"):
    x: int
    y: int
    keys: _Keys = UNSET


class _Screenshot(Struct, tag="screenshot"):
    pass


class _Scroll(Struct, tag="scroll"):
    x: int = 0
    y: int = 0
    scroll_x: int = 0
    scroll_y: int = 0
    keys: _Keys = UNSET


class _Type(Struct, tag="type"):
    text: str


class _Wait(Struct, tag="wait"):
    pass


_Action = _Click | _DoubleClick | _Drag | _Keypress | _Move | _Screenshot | _Scroll | _Type | _Wait

_NUMBER: JSONObject = {"type": "integer"}
_ACTION: JSONObject = {
    "type": "object",
    "properties": {
        "type": {
            "type": "string",
            "enum": [
                *("click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait")
            ],
        },
        "x": {"type": "integer", "description": "Pixels from the left, of a click, a move or a scroll"},
        "y": {"type": "integer", "description": "Pixels from the top, of a click, a move or a scroll"},
        "button": {"type": "string", "enum": ["left", "right", "wheel", "back", "forward"]},
        "keys": {
            "type": "array",
            "items": {"type": "string"},
            "description": 'Keys to press together, such as ["CTRL", "C"], or to hold during another action',
        },
        "path": {
            "type": "array",
            "items": {"type": "object", "properties": {"x": _NUMBER, "y": _NUMBER}, "required": ["x", "y"]},
            "description": "The points of a drag",
        },
        "scroll_x": {"type": "integer", "description": "Pixels to scroll to the right"},
        "scroll_y": {"type": "integer", "description": "Pixels to scroll down"},
        "text": {"type": "string", "description": "The text to type"},
    },
    "required": ["type"],
}
_PARAMETERS: JSONObject = {
    "type": "object",
    "properties": {"actions": {"type": "array", "items": _ACTION, "description": "The actions, in order"}},
    "required": ["actions"],
}


class Computer(ClientKind[ComputerCall, ComputerCallOutput]):
    """Actions on the computer of a client, one (`computer_use_preview`) or several in a call (`computer`)."""

    name = "computer"
    tools = (ComputerTool, ComputerUsePreviewTool)
    choices = ("computer", "computer_use", "computer_use_preview")
    call = ComputerCall
    output = ComputerCallOutput

    def function(self, tool: Tool, param: str) -> ChatFunction:
        """Return the function, which has the size of the preview's screen."""
        description = "Control the user's computer. The output is a screenshot after the last action."
        if not isinstance(tool, ComputerUsePreviewTool):
            return {"description": description, "parameters": _PARAMETERS}
        size = f"{tool.display_width} x {tool.display_height} pixels"
        about = f"{description} Its environment is {tool.environment}, and its screen has {size}."
        return {"description": about, "parameters": _ACTION}

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[ComputerCall]:
        """Return a call that is announced with its actions."""
        item = ComputerCall(id=item_id, status="in_progress", call_id=call_id, pending_safety_checks=[])
        return _Call(item, is_single=isinstance(tool, ComputerUsePreviewTool))

    def arguments(self, item: ComputerCall) -> str:
        """Return the actions in the form of the tool."""
        given = {"actions": item.actions} if item.actions else item.action
        return msgspec.json.encode(given or {}).decode()

    def answer(self, item: ComputerCallOutput) -> str | list[ToolOutputPart]:
        """Return the screenshot."""
        shot = item.output
        return [InputImage(image_url=shot.image_url, file_id=shot.file_id, detail=shot.detail)]


class _Call(ClientCall[ComputerCall]):
    def __init__(self, item: ComputerCall, *, is_single: bool) -> None:
        super().__init__(item)
        self._is_single = is_single

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        """Return no events, because the item is announced with its actions."""
        return []

    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        """Complete the item with valid actions only."""
        self.item.status = status
        given = decoded(arguments)
        if given is None and status == "completed":
            return invalid("a JSON object")
        try:
            actions = _actions(given or {})
        except msgspec.ValidationError as error:
            return invalid(f"actions of a computer ({error})")
        if not actions and status == "completed":
            return invalid("at least one action")
        if not self._is_single:
            self.item.actions = actions
        elif actions:
            self.item.action = actions[0]
        return None


def _actions(given: JSONObject) -> list[JSONObject]:
    """Return the actions in any form that models write: a list, or one action.

    Raises:
        ValidationError: An action is invalid.
    """
    found: JSON = given.get("actions", given.get("action"))
    if found is None:
        found = [given] if given else []
    actions = msgspec.convert(found if isinstance(found, list) else [found], list[_Action], strict=False)
    valid: list[JSONObject] = msgspec.to_builtins(actions)
    return valid
