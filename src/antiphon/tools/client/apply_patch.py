"""Patches that the client applies: `apply_patch_call`, whose diff streams."""

import msgspec

from antiphon.engine.client.kinds import ClientCall, ClientKind
from antiphon.engine.client.strings import StringReader
from antiphon.tools.client.arguments import decoded, invalid
from antiphon.wire.chat import ChatFunction
from antiphon.wire.content import ToolOutputPart
from antiphon.wire.events import Event
from antiphon.wire.items import ApplyPatchCall, ApplyPatchCallOutput, ItemStatus
from antiphon.wire.json import JSONObject
from antiphon.wire.tool_events import ApplyPatchCallOperationDiffDelta, ApplyPatchCallOperationDiffDone
from antiphon.wire.tools import ApplyPatchTool, Tool

_KINDS = ("create_file", "update_file", "delete_file")
_FUNCTION: ChatFunction = {
    "description": "Create, update or delete one file on the user's machine. The diff of a new file has all "
    "lines, each after '+'. The diff of an update has sections that begin with a line '@@', perhaps followed "
    "by the function or class that contains the change. In a section, the lines that remain begin with a "
    "space, removed lines with '-', and added lines with '+'. Give three lines of context around each "
    "change, and no line numbers.",
    "parameters": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": [*_KINDS]},
            "path": {"type": "string", "description": "The path of the file"},
            "diff": {"type": "string", "description": "The diff, unless the file is deleted"},
        },
        "required": ["type", "path"],
        "additionalProperties": False,
    },
}


class ApplyPatch(ClientKind[ApplyPatchCall, ApplyPatchCallOutput]):
    """Changes to files of a client."""

    name = "apply_patch"
    tools = (ApplyPatchTool,)
    choices = ("apply_patch",)
    call = ApplyPatchCall
    output = ApplyPatchCallOutput

    def function(self, tool: Tool, param: str) -> ChatFunction:
        """Return the function."""
        return _FUNCTION

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[ApplyPatchCall]:
        """Return a call that is announced once the model has written the type and the path."""
        return _Call(ApplyPatchCall(id=item_id, status="in_progress", call_id=call_id, operation={}))

    def arguments(self, item: ApplyPatchCall) -> str:
        """Return the operation."""
        return msgspec.json.encode(item.operation).decode()

    def answer(self, item: ApplyPatchCallOutput) -> str | list[ToolOutputPart]:
        """Return the status, and the output of the client."""
        return f"{item.status}\n{item.output}" if item.output else item.status


class _Call(ClientCall[ApplyPatchCall]):
    def __init__(self, item: ApplyPatchCall) -> None:
        super().__init__(item)
        self._reader = StringReader()
        self._texts = {"type": "", "path": "", "diff": ""}
        self._whole: set[str] = set()
        self._sent = 0

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        """Return the events of the next piece of the diff; none before the type and the path."""
        for path, text, ends in self._reader.feed(arguments):
            if len(path) == 1 and path[0] in self._texts:
                name = str(path[0])
                self._texts[name] += text
                if ends:
                    self._whole.add(name)
        if not {"type", "path"} <= self._whole or self._texts["type"] not in _KINDS:
            return []
        return self._grown(output_index)

    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        """Complete the operation. A cut call has no status but `in_progress`."""
        is_cut = status == "incomplete"
        given = self._texts if is_cut else decoded(arguments)
        if given is None or (not is_cut and given.get("type") not in _KINDS):
            return invalid(f"a JSON object with a 'type', which is one of {', '.join(_KINDS)}")
        if not is_cut and not (isinstance(given.get("path"), str) and given["path"]):
            return invalid("the 'path' of a file")
        if not is_cut and not isinstance(given.get("diff", ""), str):
            return invalid("a 'diff' as text")
        self._texts = {name: given.get(name) or "" for name in self._texts}
        if self._texts["type"] not in _KINDS:
            self._texts["type"] = "update_file"
        self.item.operation = self._operation(self._texts["diff"])
        self.item.status = "in_progress" if is_cut else "completed"
        return None

    def closing(self, output_index: int) -> list[Event]:
        """Return the rest of the diff, and the last events."""
        events = self._grown(output_index)
        if self._has_diff:
            item_id, diff = str(self.item.id), self._texts["diff"]
            events.append(ApplyPatchCallOperationDiffDone(item_id, output_index, diff))
        return [*events, *super().closing(output_index)]

    @property
    def _has_diff(self) -> bool:
        return self._texts["type"] != "delete_file"

    def _grown(self, output_index: int) -> list[Event]:
        """Return the events of the item's beginning and of the new part of its diff."""
        final, self.item.operation = self.item.operation, self._operation("")
        events = self.announce(output_index)
        self.item.operation = final
        new = self._texts["diff"][self._sent :] if self._has_diff else ""
        if new:
            self._sent += len(new)
            events.append(ApplyPatchCallOperationDiffDelta(str(self.item.id), output_index, new))
        return events

    def _operation(self, diff: str) -> JSONObject:
        operation: JSONObject = {"type": self._texts["type"], "path": self._texts["path"]}
        return operation | {"diff": diff} if self._has_diff else operation
