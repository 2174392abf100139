"""openai-agents with the tools that run on its own machine: shells, patches and a computer."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from agents import (
    Agent,
    ApplyPatchTool,
    AsyncComputer,
    Button,
    ComputerTool,
    Environment,
    LocalShellCommandRequest,
    LocalShellTool,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
    ShellTool,
    Tool,
    apply_diff,
)
from agents.editor import ApplyPatchOperation, ApplyPatchResult
from openai import AsyncOpenAI

from tests.clients.replies import calls, says
from tests.support.serving import Serving
from tests.support.upstream import Upstream

QUIET = RunConfig(tracing_disabled=True)
"""Turn off traces, which would go to api.openai.com."""
Streams = Literal["stream", "whole"]


def ran(server: Serving, tool: Tool, *, stream: bool) -> str:
    """Run an agent with one tool, and return its answer."""

    async def run() -> str:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            agent = Agent(name="Helper", model=OpenAIResponsesModel("up/m", client), tools=[tool])
            if not stream:
                return (await Runner.run(agent, "Go on.", run_config=QUIET)).final_output_as(str)
            streamed = Runner.run_streamed(agent, "Go on.", run_config=QUIET)
            async for _ in streamed.stream_events():
                pass
            return streamed.final_output_as(str)

    return asyncio.run(run())


def told(upstream: Upstream) -> str:
    """Return the output of the tool as the model receives it."""
    [message] = [each for each in upstream.chats[-1].json["messages"] if each["role"] == "tool"]
    return str(message["content"])


@pytest.mark.parametrize("stream", [False, True])
def test_shell_tool(server: Serving, upstream: Upstream, stream: bool) -> None:
    upstream.script(calls(("call_1", "shell", {"commands": ["ls", "pwd"]})), says("Two files."))
    asked: list[str] = []

    def execute(request: ShellCommandRequest) -> ShellResult:
        asked.extend(request.data.action.commands)
        outputs = [
            ShellCommandOutput(command=command, stdout=f"{command}!", outcome=ShellCallOutcome("exit", 0))
            for command in request.data.action.commands
        ]
        return ShellResult(output=outputs)

    assert ran(server, ShellTool(executor=execute), stream=stream) == "Two files."
    assert asked == ["ls", "pwd"]
    assert told(upstream) == "ls!\n[exit code 0]\npwd!\n[exit code 0]"


def test_local_shell_tool(server: Serving, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "local_shell", {"command": ["ls", "-a"]})), says("Empty."))
    asked: list[list[str]] = []

    def execute(request: LocalShellCommandRequest) -> str:
        asked.append(request.data.action.command)
        return "nothing"

    assert ran(server, LocalShellTool(executor=execute), stream=False) == "Empty."
    assert (asked, told(upstream)) == ([["ls", "-a"]], "nothing")


class Editor:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        (self._folder / operation.path).write_text(apply_diff("", operation.diff or "", mode="create"))
        return ApplyPatchResult(output=f"Created {operation.path}")

    def update_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        path = self._folder / operation.path
        path.write_text(apply_diff(path.read_text(), operation.diff or ""))
        return ApplyPatchResult(output=f"Updated {operation.path}")

    def delete_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        (self._folder / operation.path).unlink()
        return ApplyPatchResult(output=f"Deleted {operation.path}")


@pytest.mark.parametrize("stream", [False, True])
def test_apply_patch_tool(server: Serving, upstream: Upstream, tmp_path: Path, stream: bool) -> None:
    (tmp_path / "old.txt").write_text("old\n")
    update = {"type": "update_file", "path": "a.txt", "diff": "@@\n one\n-two\n+2\n"}
    upstream.script(
        calls(("call_1", "apply_patch", {"type": "create_file", "path": "a.txt", "diff": "+one\n+two\n"})),
        calls(
            ("call_2", "apply_patch", update),
            ("call_3", "apply_patch", {"type": "delete_file", "path": "old.txt"}),
        ),
        says("Done."),
    )
    assert ran(server, ApplyPatchTool(editor=Editor(tmp_path)), stream=stream) == "Done."
    assert {path.name: path.read_text().split() for path in tmp_path.iterdir()} == {"a.txt": ["one", "2"]}
    outputs = [each["content"] for each in upstream.chats[-1].json["messages"] if each["role"] == "tool"]
    assert outputs == [
        "completed\nCreated a.txt",
        "completed\nUpdated a.txt",
        "completed\nDeleted old.txt",
    ]


class Screen(AsyncComputer):
    """A computer that notes what is done with it."""

    def __init__(self) -> None:
        self.done: list[object] = []

    @property
    def environment(self) -> Environment:
        return "browser"

    @property
    def dimensions(self) -> tuple[int, int]:
        return 800, 600

    async def screenshot(self) -> str:
        return "AA=="

    async def click(self, x: int, y: int, button: Button) -> None:
        self.done.append(("click", x, y, button))

    async def double_click(self, x: int, y: int) -> None:
        self.done.append(("double_click", x, y))

    async def scroll(self, x: int, y: int, scroll_x: int, scroll_y: int) -> None:
        self.done.append(("scroll", x, y, scroll_x, scroll_y))

    async def type(self, text: str) -> None:
        self.done.append(("type", text))

    async def wait(self) -> None:
        self.done.append("wait")

    async def move(self, x: int, y: int) -> None:
        self.done.append(("move", x, y))

    async def keypress(self, keys: list[str]) -> None:
        self.done.append(("keypress", *keys))

    async def drag(self, path: list[tuple[int, int]]) -> None:
        self.done.append(("drag", *path))


@pytest.mark.parametrize("stream", [False, True])
def test_computer_tool(server: Serving, upstream: Upstream, stream: bool) -> None:
    actions = [
        {"type": "click", "x": 1, "y": 2},
        {"type": "type", "text": "Hi"},
        {"type": "keypress", "keys": ["ENTER"]},
        {"type": "drag", "path": [{"x": 0, "y": 0}, {"x": 5, "y": 5}]},
        {"type": "scroll", "x": 1, "y": 2, "scroll_y": 100},
    ]
    upstream.script(calls(("call_1", "computer", {"actions": actions})), says("I see."))
    screen = Screen()
    assert ran(server, ComputerTool(computer=screen), stream=stream) == "I see."
    assert screen.done == [
        ("click", 1, 2, "left"),
        ("type", "Hi"),
        ("keypress", "ENTER"),
        ("drag", (0, 0), (5, 5)),
        ("scroll", 1, 2, 0, 100),
    ]
    [shown] = upstream.chats[-1].json["messages"][-1]["content"]
    assert shown["image_url"]["url"] == "data:image/png;base64,AA=="
