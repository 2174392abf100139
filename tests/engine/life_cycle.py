"""Check of the life cycle of every output item in a list of events, as strict clients require it."""

from antiphon.wire.json import JSON, JSONObject
from tests.support.schemas import check_event

_TEXTS = {
    "response.output_text": ("output_text", "text"),
    "response.refusal": ("refusal", "refusal"),
    "response.reasoning_text": ("reasoning_text", "text"),
    "response.reasoning_summary_text": ("summary_text", "text"),
}


def check_life_cycles(events: list[JSONObject], output: list[JSONObject], *, failed: bool = False) -> None:
    """Assert that items are complete and consistent.

    Items follow one another, and each of their parts begins and ends. Deltas, ends and final items agree. In
    a failed reply the last item may be open.
    """
    life_cycles = _LifeCycles()
    for event in events:
        check_event(event)
        life_cycles.take(event)
    if failed:
        assert output[: len(life_cycles.done)] == life_cycles.done
    else:
        assert life_cycles.item is None, f"never closed: {life_cycles.item}"
        assert life_cycles.done == output


class _LifeCycles:
    """State of one stream: at most one open item, with at most one open part of each kind."""

    def __init__(self) -> None:
        self.done: list[JSONObject] = []
        self.item: JSONObject | None = None
        self._parts: dict[str, list[JSONObject]] = {}
        self._open: dict[str, JSONObject] = {}
        self._texts: dict[str, str] = {}
        self._arguments = ""
        self._arguments_done: str | None = None
        self._stages: list[str] = []
        self._commands: list[str] = []
        self._done_commands: list[str] = []

    def take(self, event: JSONObject) -> None:
        kind: str = event["type"]
        if kind == "response.output_item.added":
            self._begin_item(event)
            return
        assert self.item is not None, f"outside of an item: {event}"
        assert event["output_index"] == len(self.done), event
        if kind == "response.output_item.done":
            self._end_item(event["item"])
            return
        if kind.startswith("response.shell_call_command."):
            self._command_event(event)
            return
        assert event["item_id"] == self.item["id"], event
        if kind.startswith("response.apply_patch_call_operation_diff."):
            self._diff_event(event)
        elif kind.startswith(("response.function_call_arguments", "response.mcp_call_arguments")):
            self._arguments_event(event)
        elif kind.startswith("response.code_interpreter_call_code"):
            self._code_event(event)
        elif kind.startswith("response.custom_tool_call_input"):
            self._input_event(event)
        elif kind == "response.image_generation_call.partial_image":
            assert self._stages == ["in_progress", "generating"]
        elif kind.startswith(f"response.{self.item['type']}."):
            self._stage(kind.rpartition(".")[2])
        elif kind == "response.output_text.annotation.added":
            self._annotation_event(event)
        elif kind.endswith("_part.added"):
            self._begin_part(event)
        elif kind.endswith("_part.done"):
            self._end_part(event)
        else:
            self._text_event(event)

    def _begin_item(self, event: JSONObject) -> None:
        assert self.item is None, f"{event} while {self.item} is open"
        assert event["output_index"] == len(self.done), event
        item = event["item"]
        match item["type"]:
            case "message":
                assert item["content"] == []
                assert item["status"] == "in_progress"
                assert item["role"] == "assistant"
            case "function_call":
                assert item["arguments"] == ""
                assert item["status"] == "in_progress"
                assert item["call_id"]
            case "custom_tool_call":
                assert item["input"] == ""
                assert item["status"] == "in_progress"
                assert item["call_id"]
            case "shell_call":
                assert item["action"]["commands"] == []
                assert item["status"] == "in_progress"
            case "local_shell_call":
                assert item["action"] == {"type": "exec", "command": [], "env": {}}
                assert item["status"] == "in_progress"
            case "apply_patch_call":
                assert item["operation"].get("diff", "") == ""
                assert item["status"] == "in_progress"
            case "computer_call":
                assert item["status"] == "in_progress"
            case "reasoning":
                assert item["summary"] == []
                assert "status" not in item
                assert "content" not in item
        self.item = item
        self._stages = []
        self._parts, self._open, self._texts = {"content": [], "summary": []}, {}, {}
        self._arguments, self._arguments_done = "", None
        self._commands, self._done_commands = [], []

    def _end_item(self, item: JSONObject) -> None:
        assert self.item is not None
        assert self._open == {}, f"parts are still open: {self._open}"
        if item["type"] in _STAGES:
            self._end_hosted(item)
            return
        begun = {key: value for key, value in self.item.items() if key not in _GROWING}
        assert {key: value for key, value in item.items() if key not in _GROWING} == begun
        if item["type"] == "function_call":
            assert item["arguments"] == self._arguments == self._arguments_done
        elif item["type"] == "custom_tool_call":
            assert item["input"] == self._arguments == self._arguments_done
        elif item["type"] == "shell_call":
            assert item["action"]["commands"] == self._commands == self._done_commands
        elif item["type"] == "apply_patch_call":
            assert {**item["operation"], "diff": ""} == {**self.item["operation"], "diff": ""}
            diff = self._arguments if self._arguments_done is not None else None
            assert item["operation"].get("diff") == diff == self._arguments_done
        elif item["type"] not in _BUILT_IN:
            assert item.get("content", []) == self._parts["content"]
            assert item.get("summary", []) == self._parts["summary"]
        if item["type"] != "reasoning":
            cut = "in_progress" if item["type"] == "apply_patch_call" else "incomplete"
            assert item["status"] in ("completed", cut)
        self.done.append(item)
        self.item = None

    def _stage(self, stage: str) -> None:
        """Check a stage of a hosted call against the order of stages."""
        assert self.item is not None
        assert stage in _STAGES[self.item["type"]][len(self._stages) :]
        self._stages.append(stage)

    def _end_hosted(self, item: JSONObject) -> None:
        assert self.item is not None
        assert item["id"] == self.item["id"]
        if item["type"] == "code_interpreter_call":
            assert item["code"] == self._arguments == self._arguments_done
            assert item["container_id"] == self.item["container_id"]
        elif self._arguments_done is not None:
            assert item["arguments"] == self._arguments == self._arguments_done
        stages = _STAGES[item["type"]]
        if item.get("status", "completed") == "completed" and "completed" in stages:
            last = "failed" if item.get("error") else "completed"
            assert self._stages == [*stages[: stages.index("completed")], last]
        else:
            assert "completed" not in self._stages
        self.done.append(item)
        self.item = None

    def _begin_part(self, event: JSONObject) -> None:
        place, index = _place(event)
        assert place not in self._open, f"{event} while {self._open[place]} is open"
        assert index == len(self._parts[place]), event
        assert event["part"].get("text", event["part"].get("refusal")) == ""
        self._open[place] = event["part"]
        self._texts[place] = ""

    def _text_event(self, event: JSONObject) -> None:
        place, index = _place(event)
        stem, _, end = event["type"].rpartition(".")
        part_type, field = _TEXTS[stem]
        assert place in self._open, f"outside of a part: {event}"
        assert index == len(self._parts[place]), event
        assert self._open[place]["type"] == part_type
        if end == "delta":
            assert event["delta"], "an empty delta tells nothing"
            self._texts[place] += event["delta"]
        else:
            assert event[field] == self._texts[place]
            self._open[place] = self._open[place] | {field: event[field]}
            if "logprobs" in event:
                self._open[place]["logprobs"] = event["logprobs"]

    def _end_part(self, event: JSONObject) -> None:
        place, index = _place(event)
        assert index == len(self._parts[place])
        assert event["part"] == self._open.pop(place)
        self._parts[place].append(event["part"])

    def _annotation_event(self, event: JSONObject) -> None:
        place, index = _place(event)
        part = self._open[place]
        assert index == len(self._parts[place]), event
        assert event["annotation_index"] == len(part["annotations"]), event
        annotation = event["annotation"]
        assert annotation.get("end_index", annotation.get("index")) <= len(self._texts[place]), event
        part["annotations"].append(annotation)

    def _arguments_event(self, event: JSONObject) -> None:
        assert self.item is not None
        assert event["type"].startswith(f"response.{self.item['type']}_arguments")
        assert self._arguments_done is None, f"after the end of the arguments: {event}"
        if event["type"].endswith(".delta"):
            self._arguments += event["delta"]
        else:
            assert event.get("name", self.item["name"]) == self.item["name"]
            self._arguments_done = event["arguments"]

    def _command_event(self, event: JSONObject) -> None:
        assert self.item is not None
        assert self.item["type"] == "shell_call"
        stage = event["type"].rpartition(".")[2]
        if stage == "added":
            assert event["command"] == ""
            assert len(self._commands) == len(self._done_commands), "the command before is open"
            self._commands.append("")
        assert event["command_index"] == len(self._commands) - 1, event
        if stage == "delta":
            assert event["delta"], "an empty delta tells nothing"
            self._commands[-1] += event["delta"]
        elif stage == "done":
            self._done_commands.append(event["command"])

    def _diff_event(self, event: JSONObject) -> None:
        assert self.item is not None
        assert self.item["type"] == "apply_patch_call"
        assert self._arguments_done is None, f"after the end of the diff: {event}"
        if event["type"].endswith(".delta"):
            assert event["delta"], "an empty delta tells nothing"
            self._arguments += event["delta"]
        else:
            self._arguments_done = event["diff"]

    def _code_event(self, event: JSONObject) -> None:
        assert self.item is not None
        assert self.item["type"] == "code_interpreter_call"
        assert self._stages == ["in_progress"]
        assert self._arguments_done is None, f"after the end of the code: {event}"
        if event["type"].endswith(".delta"):
            assert event["delta"], "an empty delta tells nothing"
            self._arguments += event["delta"]
        else:
            self._arguments_done = event["code"]

    def _input_event(self, event: JSONObject) -> None:
        assert self.item is not None
        assert self.item["type"] == "custom_tool_call"
        assert self._arguments_done is None, f"after the end of the input: {event}"
        if event["type"].endswith(".delta"):
            assert event["delta"], "an empty delta tells nothing"
            self._arguments += event["delta"]
        else:
            self._arguments_done = event["input"]


_STAGES = {
    "web_search_call": ["in_progress", "searching", "completed"],
    "file_search_call": ["in_progress", "searching", "completed"],
    "code_interpreter_call": ["in_progress", "interpreting", "completed"],
    "image_generation_call": ["in_progress", "generating", "completed"],
    "mcp_list_tools": ["in_progress", "completed", "failed"],
    "mcp_call": ["in_progress", "completed", "failed"],
    "mcp_approval_request": [],
}
"""The stages of hosted calls between their beginning and their end, in order."""

_BUILT_IN = frozenset(
    {"shell_call", "local_shell_call", "apply_patch_call", "computer_call", "tool_search_call"}
)
"""Calls of built-in tools that the client runs."""

_GROWING = frozenset(
    {
        *("content", "summary", "arguments", "input", "status", "encrypted_content", "phase"),
        *("action", "actions", "operation"),
    }
)


def _place(event: JSONObject) -> tuple[str, JSON]:
    if "summary_index" in event:
        return "summary", event["summary_index"]
    return "content", event["content_index"]
