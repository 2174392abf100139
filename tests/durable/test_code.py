"""Background responses that run code, whose server crashes at any write."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from antiphon.durable import log
from antiphon.engine.ports import HostedTools, ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.net.guard import Guard
from antiphon.service.files.container_runs import RequestContainers
from antiphon.service.files.containers import Containers
from antiphon.service.files.folder import FileFolder
from antiphon.service.responses.responses import Responses
from antiphon.settings.tools import CodeInterpreterSettings, ToolsSettings
from antiphon.store import Store
from antiphon.tools.code_interpreter.tool import CodeInterpreter
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.sandbox import Outcome
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool
from tests.durable.crashing import ID, Crash, Crashing, Failing, Servers
from tests.service.world import ME, say
from tests.store.conftest import Run
from tests.support.fake_sandbox import FakeSandbox, use_sandbox

FIRST, SECOND = "first()", "second()"
PNG = b"\x89PNG picture"
OUTCOMES = {
    FIRST: Outcome(logs="one\n", images=[PNG], files={"a.csv": b"1", "b.csv": b"1"}),
    SECOND: Outcome(logs="two\n", files={"a.csv": b"2", "c.csv": b"2"}, removed=["b.csv"]),
}
TOOL = CodeInterpreterTool(container=AutoContainer())
REQUEST: JSONObject = {
    "tools": [msgspec.to_builtins(TOOL)],
    "include": ["code_interpreter_call.outputs"],
}
UNKNOWN = "The server stopped during this call, so its outcome is unknown."


def running(number: int, code: str) -> list[bytes]:
    """Return the chunks of a reply that runs code."""
    function = {"name": "code_interpreter", "arguments": f'{{"code": "{code}"}}'}
    call = {"index": 0, "id": f"call_{number}", "function": function}
    return [*say("Let me see.", finish=None), *say(finish="tool_calls", tool_calls=[call])]


@pytest.fixture(autouse=True)
def small_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a few events at a time, so that an execution has many places to crash at."""
    monkeypatch.setattr(log, "_MANY", 2)


class CodeServers(Servers):
    """Servers of one database and one folder, with the code interpreter."""

    def __init__(self, store: Store, containers: Containers) -> None:
        self.containers = containers
        super().__init__(store)
        link = "See [c](sandbox:/mnt/data/c.csv)."
        self.model.by_round = {0: running(1, FIRST), 1: running(2, SECOND), 2: say(link)}

    def responses_of(self, catalogue: ModelCatalogue) -> Responses:
        settings = ToolsSettings(code_interpreter=CodeInterpreterSettings(timeout=20))
        services = ToolServices(settings=settings, guard=Guard())

        async def opened(context: RequestContext, request: CreateResponse) -> HostedTools:
            given = ToolContext(
                services=services,
                request=context,
                wrap=lambda inner: catalogue.tool_calls(inner, context),
                containers=RequestContainers(self.containers, context),
            )
            return HostedTools([CodeInterpreter(TOOL, 0, given)])

        return Responses(self.store, catalogue, opened)

    async def done(self) -> JSONObject:
        """Return the finished response."""
        response: JSONObject = (await self.events())[-1]["response"]
        return response

    async def files(self, container_id: str) -> dict[str, bytes]:
        """Return the files of a container, whose records and contents must agree."""
        files = await self.containers.records.files(container_id)
        folder = self.containers.folder
        assert {path.name for path in folder.path.iterdir()} == {file.id for file in files}
        return {file.path: folder.path_of(file.id).read_bytes() for file in files}

    async def forget(self, container_id: str) -> None:
        """Delete the response and its container."""
        assert await self.store.responses.delete(ME, ID)
        await self.containers.delete(ME, container_id)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    made = FakeSandbox(OUTCOMES)
    use_sandbox(monkeypatch, made)
    return made


@pytest.fixture
def servers(store: Store, tmp_path: Path, sandbox: FakeSandbox) -> Iterator[CodeServers]:
    folder = FileFolder.open(str(tmp_path / "files"), 10**6)
    yield CodeServers(store, Containers(store, folder, CodeInterpreterSettings()))
    folder.close()


async def crash(servers: CodeServers, at: int) -> bool:
    """Run a response until its process crashes after a write; return whether it did."""
    execution = await servers.claim()
    with Crashing(servers.store, at, is_committed=True):
        try:
            await servers.go_on(execution)
        except Crash:
            # The process loses the writes that its other tasks would still make.
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*rest, return_exceptions=True)
            return True
    return False


def without_time(events: list[JSONObject]) -> list[JSONObject]:
    for event in events:
        if "response" in event:
            event["response"]["completed_at"] = None
    return events


def called(response: JSONObject) -> list[JSONObject]:
    """Return the calls, without those whose code was cut with its model call."""
    calls = [item for item in response["output"] if item["type"] == "code_interpreter_call"]
    return [call for call in calls if call["status"] != "incomplete"]


def logs(call: JSONObject) -> JSON:
    return call["outputs"][0]["logs"]


@pytest.mark.parametrize("is_read", [False, True])
def test_code_that_has_run_is_not_run_again_after_a_crash_at_any_write(
    servers: CodeServers, sandbox: FakeSandbox, run: Run, *, is_read: bool
) -> None:
    async def scenario() -> None:
        await servers.submit(**REQUEST, stream=is_read)
        with Failing(servers.store, 0, is_committed=False) as writes:
            await servers.go_on()
        expected = await servers.events()
        container = called(await servers.done())[0]["container_id"]
        whole = {"a.csv": b"2", "c.csv": b"2"}
        charts = {path for path in await servers.files(container) if path not in whole}
        assert len(charts) == 1
        await servers.forget(container)
        unknown = crashes = 0
        for at in range(1, writes.count + 2):
            sandbox.made.clear()
            await servers.submit(**REQUEST, stream=is_read)
            crashes += await crash(servers, at)
            read = await servers.events()
            if is_read:
                sandbox.held.clear()  # The interpreters end with their server.
            if (again := await servers.next()) is not None:
                await servers.go_on(again)
            events, response = await servers.events(), await servers.done()
            assert response["status"] == "completed"
            assert max(sandbox.made.values()) == 1, "code was run twice"
            first, second = called(response)
            lost = [call for call in (first, second) if call["status"] == "failed"]
            assert [logs(call) for call in lost] == [UNKNOWN] * len(lost)
            unknown += len(lost)
            files = await servers.files(first["container_id"])
            if not lost:
                assert len(files) == len(whole) + len(charts)
                assert {path: files[path] for path in whole} == whole
                assert logs(first) == "one\n"
                assert str(logs(second)).endswith("two\n")
            if is_read:
                assert events[: len(read)] == read
            elif not lost:
                assert without_time(events) == without_time(expected), f"crash at write {at}"
            await servers.forget(first["container_id"])
        assert crashes >= writes.count - 2
        assert unknown >= 2, "either call was cut"

    run(scenario())


def test_an_unknown_outcome_is_told_to_the_model(
    servers: CodeServers, sandbox: FakeSandbox, run: Run
) -> None:
    async def scenario() -> None:
        at = 0
        while True:
            at += 1
            await servers.submit(**REQUEST)
            await crash(servers, at)
            if (again := await servers.next()) is not None:
                await servers.go_on(again)
            first = called(await servers.done())[0]
            if first["status"] == "failed":
                break
            await servers.forget(first["container_id"])
        told = [each["content"] for each in servers.model.requests[-1]["messages"] if each["role"] == "tool"]
        assert told[0] == UNKNOWN
        assert "two" in str(told[1])

    run(scenario())
