"""The local shell: `local_shell_call`, one command as a list of arguments."""

import msgspec

from antiphon.engine.client.kinds import ClientCall, ClientKind
from antiphon.tools.client.arguments import decoded, invalid, number, strings
from antiphon.wire.chat import ChatFunction
from antiphon.wire.content import ToolOutputPart
from antiphon.wire.items import ItemStatus, LocalShellCall, LocalShellCallOutput
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import LocalShellTool, Tool

_FUNCTION: ChatFunction = {
    "description": "Run a command on the user's machine.",
    "parameters": {
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": {"type": "string"},
                "description": 'The program and its arguments, such as ["bash", "-lc", "ls | wc -l"]',
            },
            "env": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Environment variables to set",
            },
            "timeout_ms": {"type": "integer", "description": "Time limit in milliseconds"},
            "user": {"type": "string", "description": "The user to run the command as"},
            "working_directory": {"type": "string", "description": "The folder to run the command in"},
        },
        "required": ["command"],
        "additionalProperties": False,
    },
}


class LocalShell(ClientKind[LocalShellCall, LocalShellCallOutput]):
    """Commands for the machine of a client."""

    name = "local_shell"
    tools = (LocalShellTool,)
    choices = ("local_shell",)
    call = LocalShellCall
    output = LocalShellCallOutput

    def function(self, tool: Tool, param: str) -> ChatFunction:
        """Return the function."""
        return _FUNCTION

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[LocalShellCall]:
        """Return a call without a command."""
        action: JSONObject = {"type": "exec", "command": [], "env": {}}
        return _Call(LocalShellCall(id=item_id, status="in_progress", call_id=call_id, action=action))

    def arguments(self, item: LocalShellCall) -> str:
        """Return the action without its type, and without empty fields."""
        action = {name: value for name, value in item.action.items() if name != "type" and value}
        return msgspec.json.encode(action).decode()

    def answer(self, item: LocalShellCallOutput) -> str | list[ToolOutputPart]:
        """Return the output as it is."""
        return item.output


class _Call(ClientCall[LocalShellCall]):
    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        """Complete the action."""
        self.item.status = status
        given = decoded(arguments) or {}
        command = given.get("command")
        # Models that know other shells write the command as one text.
        command = ["bash", "-lc", command] if isinstance(command, str) and command else strings(command)
        if not command and status == "completed":
            return invalid("'command', a list of strings")
        env = given.get("env")
        variables = env.items() if isinstance(env, dict) else ()
        action: JSONObject = {
            "type": "exec",
            "command": command or [],
            "env": {name: value for name, value in variables if isinstance(value, str)},
        }
        if timeout := number(given.get("timeout_ms")):
            action["timeout_ms"] = timeout
        for name in ("user", "working_directory"):
            if isinstance(given.get(name), str) and given[name]:
                action[name] = given[name]
        self.item.action = action
        return None
