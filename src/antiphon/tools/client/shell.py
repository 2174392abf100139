"""The shell of a client: `shell_call`, whose commands stream."""

import msgspec

from antiphon.engine.client.kinds import ClientCall, ClientKind
from antiphon.engine.client.strings import StringReader
from antiphon.errors import InvalidRequest
from antiphon.tools.client.arguments import decoded, invalid, number, strings
from antiphon.wire.chat import ChatFunction
from antiphon.wire.content import ToolOutputPart
from antiphon.wire.events import Event
from antiphon.wire.items import ItemStatus, ShellCall, ShellCallOutput
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tool_events import ShellCallCommandAdded, ShellCallCommandDelta, ShellCallCommandDone
from antiphon.wire.tools import ShellTool, Tool

_DESCRIPTION = "Run shell commands on the user's machine. Each command runs in a shell of its own."
_PARAMETERS: JSONObject = {
    "type": "object",
    "properties": {
        "commands": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The commands, which may run at the same time",
        },
        "timeout_ms": {"type": "integer", "description": "Time limit of the commands in milliseconds"},
        "max_output_length": {"type": "integer", "description": "Characters of output to return per command"},
    },
    "required": ["commands"],
    "additionalProperties": False,
}


class Shell(ClientKind[ShellCall, ShellCallOutput]):
    """Commands for the shell of a client."""

    name = "shell"
    tools = (ShellTool,)
    choices = ("shell",)
    call = ShellCall
    output = ShellCallOutput

    def function(self, tool: Tool, param: str) -> ChatFunction:
        """Return the function, whose description has the skills of the client.

        Raises:
            InvalidRequest: The commands should run in a container.
        """
        assert isinstance(tool, ShellTool)
        environment = tool.environment or {}
        kind = environment.get("type", "local")
        if kind != "local":
            raise InvalidRequest(
                f"Invalid '{param}.environment.type': '{kind}' is not supported, because this server has no "
                "containers for the shell. Use 'local', with which the client runs the commands.",
                code="unsupported_value",
                param=f"{param}.environment.type",
            )
        skills = environment.get("skills")
        lines = [_DESCRIPTION, *map(_skill, skills if isinstance(skills, list) else [])]
        return {"description": "\n".join(filter(None, lines)), "parameters": _PARAMETERS}

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[ShellCall]:
        """Return a call without commands."""
        assert isinstance(tool, ShellTool)
        action: JSONObject = {"commands": [], "max_output_length": None, "timeout_ms": None}
        item = ShellCall(
            id=item_id, status="in_progress", call_id=call_id, action=action, environment={"type": "local"}
        )
        return _Call(item)

    def arguments(self, item: ShellCall) -> str:
        """Return the commands with their limits."""
        given = {name: item.action.get(name) for name in _PARAMETERS["properties"]}
        return _encode({name: value for name, value in given.items() if value is not None})

    def answer(self, item: ShellCallOutput) -> str | list[ToolOutputPart]:
        """Return the outputs of the commands as text."""
        return "\n".join(map(_output, item.output)) or "[no output]"


class _Call(ClientCall[ShellCall]):
    def __init__(self, item: ShellCall) -> None:
        super().__init__(item)
        self._reader = StringReader()
        self._commands: list[str] = []
        self._open: int | None = None

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        """Return the events of the commands in the next piece."""
        events = self.announce(output_index)
        for path, text, ends in self._reader.feed(arguments):
            if path[:1] == ("commands",) and len(path) <= 2:
                self._grow(events, text, ends, output_index)
        return events

    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        """Complete the action; a cut one keeps the commands that had begun."""
        self.item.status = status
        given = decoded(arguments)
        if given is None and status == "completed":
            return invalid("a JSON object with 'commands', a list of strings")
        given = given or {}
        commands = given.get("commands", self._commands)
        commands = strings([commands] if isinstance(commands, str) else commands)
        if not commands and status == "completed":
            return invalid("'commands', a list of strings")
        self.item.action = {
            "commands": commands or [],
            "max_output_length": number(given.get("max_output_length")),
            "timeout_ms": number(given.get("timeout_ms")),
        }
        return None

    def closing(self, output_index: int) -> list[Event]:
        """Return the last events, with the end of a cut command."""
        events = self.announce(output_index)
        if self._open is not None:
            events.append(ShellCallCommandDone(output_index, self._open, self._commands[self._open]))
        return [*events, *super().closing(output_index)]

    def _grow(self, events: list[Event], text: str, ends: bool, output_index: int) -> None:
        if self._open is None:
            self._open = len(self._commands)
            self._commands.append("")
            events.append(ShellCallCommandAdded(output_index, self._open, ""))
        place = self._open
        if text:
            self._commands[place] += text
            events.append(ShellCallCommandDelta(output_index, place, text))
        if ends:
            self._open = None
            events.append(ShellCallCommandDone(output_index, place, self._commands[place]))


def _skill(skill: JSON) -> str:
    if not isinstance(skill, dict):
        return ""
    name, path, text = (skill.get(key) for key in ("name", "path", "description"))
    return f"Skill {name}, in {path}: {text}"


def _output(output: JSONObject) -> str:
    """Return the output of one command as text."""
    parts = [output.get("stdout"), output.get("stderr")]
    lines = [part.rstrip("\n") for part in parts if isinstance(part, str) and part]
    outcome = output.get("outcome")
    if isinstance(outcome, dict) and outcome.get("type") == "timeout":
        lines.append("[timeout]")
    elif isinstance(outcome, dict):
        lines.append(f"[exit code {outcome.get('exit_code')}]")
    return "\n".join(lines)


def _encode(value: JSON) -> str:
    return msgspec.json.encode(value).decode()
