"""The code interpreter: the container, the run, and its outcome for client and model."""

import asyncio
import base64

import msgspec
import pytest

from antiphon.engine.hosted.items import for_model
from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, NotFound, RecordingNotFound, UpstreamError
from antiphon.net.guard import Guard
from antiphon.settings.tools import ToolsSettings
from antiphon.store.errors import TooManyContainers
from antiphon.tools.code_interpreter.items import echo
from antiphon.tools.code_interpreter.tool import CodeInterpreter
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.sandbox import Outcome, SandboxFailed
from antiphon.wire.items import CodeInterpreterCall, Item, Message
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool
from tests.tools.code_interpreter.fakes import AUTO, FakeContainers, Wire, interpreter

PNG = b"\x89PNG picture"


def run(containers: FakeContainers, code: str, *, items: list[Item] | None = None) -> CodeInterpreterCall:
    """Return the item of one call."""

    async def work() -> CodeInterpreterCall:
        tool = interpreter(containers)
        await tool.prepare(items or [])
        call = tool.call("code_interpreter", msgspec.json.encode({"code": code}).decode())
        await call.run()
        call.opening(0)  # Calls of one reply run before their items open.
        assert isinstance(call.item, CodeInterpreterCall)
        return call.item

    return asyncio.run(work())


def earlier(container_id: str) -> CodeInterpreterCall:
    return CodeInterpreterCall(id="ci_0", status="completed", code="1", container_id=container_id, outputs=[])


def test_outputs_have_the_order_of_the_api() -> None:
    outcome = Outcome(logs="hi\n", result="'x'", images=[PNG], files={"a.csv": b"1"})
    item = run(FakeContainers({"x": outcome}), "x")
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert item.outputs == [
        {"type": "logs", "logs": "hi\n"},
        {"type": "image", "url": url},
        {"type": "logs", "logs": "'x'"},
        {
            "type": "files",
            "files": [
                {"file_id": "cfile_of_a.csv", "path": "/mnt/data/a.csv", "mime_type": "text/csv"},
                {"file_id": "cfile_0", "path": "/mnt/data/cfile_0.png", "mime_type": "image/png"},
            ],
        },
    ]


def test_the_model_receives_logs_and_files_but_no_pictures() -> None:
    outcome = Outcome(logs="hi\n", result="'x'", images=[PNG], files={"a.csv": b"1"})
    told = for_model(run(FakeContainers({"x": outcome}), "x"))
    assert told is not None
    assert told.output == (
        "hi\n\n[The user sees this chart as an image.]\n'x'\n[The code wrote /mnt/data/a.csv. To give a file "
        "to the user, write a link such as [a.csv](sandbox:/mnt/data/a.csv).]"
    )


def test_a_chart_that_is_no_picture_is_not_shown() -> None:
    item = run(FakeContainers({"x": Outcome(logs="", images=[b"<script>"])}), "x")
    assert "image" not in [output["type"] for output in item.outputs or ()]


def test_code_that_prints_nothing_says_so_to_the_model() -> None:
    told = for_model(run(FakeContainers({"x": Outcome(logs="")}), "x"))
    assert told is not None
    assert told.output == "[The code printed nothing.]"


@pytest.mark.parametrize(
    "error",
    [SandboxFailed("It\nended."), UpstreamError("It\nended."), NotFound("It ended.")],
)
def test_T18_a_sandbox_that_fails_is_a_failed_call(error: UpstreamError | NotFound) -> None:
    item = run(FakeContainers({"x": error}), "x")
    assert (item.status, item.outputs) == ("failed", [{"type": "logs", "logs": "It ended."}])


def test_too_many_containers_are_a_failed_call() -> None:
    item = run(FakeContainers({"x": TooManyContainers(3)}), "x")
    assert item.status == "failed"


def test_a_limit_is_a_failed_call_with_its_logs() -> None:
    item = run(FakeContainers({"x": Outcome(logs="so far", error="Too long.")}), "x")
    assert (item.status, item.outputs) == ("failed", [{"type": "logs", "logs": "so far\nToo long."}])


def test_a_missing_recording_ends_the_response() -> None:
    with pytest.raises(RecordingNotFound):
        run(FakeContainers({"x": RecordingNotFound("none")}), "x")


def test_a_recording_of_another_form_is_a_failed_call() -> None:
    class Odd:
        async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
            return {"logs": 3}

    async def work() -> JSON:
        tool = interpreter(FakeContainers(), wrap=lambda inner: Odd())
        call = tool.call("code_interpreter", '{"code": "1"}')
        await call.run()
        return msgspec.to_builtins(call.item)

    item = asyncio.run(work())
    assert item["status"] == "failed"
    assert "not valid" in item["outputs"][0]["logs"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('{"code": "1+1"}', "1+1"),
        ("print(1)", "print(1)"),
        ('{"input": "1"}', '{"input": "1"}'),
        ('{"code": 3}', '{"code": 3}'),
        ("", ""),
    ],
)
def test_arguments_of_other_forms_are_code_too(arguments: str, code: str) -> None:
    async def work() -> list[str]:
        containers = FakeContainers()
        await interpreter(containers).call("code_interpreter", arguments).run()
        return containers.codes

    assert asyncio.run(work()) == [code]


def test_an_automatic_container_is_that_of_the_last_call_while_it_is_active() -> None:
    containers = FakeContainers()
    containers.active = {"cntr_old", "cntr_last"}
    context: list[Item] = [earlier("cntr_old"), Message(role="user", content="Go on"), earlier("cntr_last")]
    assert run(containers, "1", items=context).container_id == "cntr_last"
    containers.active = {"cntr_old"}
    assert run(containers, "1", items=context).container_id not in ("cntr_old", "cntr_last")


def test_calls_of_one_response_share_a_container() -> None:
    async def work() -> set[str]:
        tool = interpreter(FakeContainers())
        calls = [tool.call("code_interpreter", "{}") for _ in range(3)]
        return {call.item.container_id for call in calls if isinstance(call.item, CodeInterpreterCall)}

    assert len(asyncio.run(work())) == 1


def test_a_container_that_the_request_names_is_not_made() -> None:
    async def work() -> None:
        containers = FakeContainers()
        tool = interpreter(containers, CodeInterpreterTool(container="cntr_mine"))
        await tool.prepare([earlier("cntr_old")])
        await tool.call("code_interpreter", "{}").run()
        assert containers.used == [("cntr_mine", None)]

    asyncio.run(work())


def test_a_refused_container_refuses_the_request() -> None:
    async def work() -> None:
        containers = FakeContainers()
        containers.refusal = NotFound("gone")
        await interpreter(containers).prepare([])

    with pytest.raises(NotFound, match="gone"):
        asyncio.run(work())


def test_a_server_without_files_has_no_containers() -> None:
    services = ToolServices(settings=ToolsSettings(), guard=Guard())

    def unchanged(inner: ToolCalls) -> ToolCalls:
        return inner

    context = ToolContext(services=services, request=RequestContext(), wrap=unchanged)
    with pytest.raises(InvalidRequest) as refused:
        CodeInterpreter(AUTO, 2, context)
    assert refused.value.param == "tools[2].type"


def test_a_cancelled_call_is_incomplete() -> None:
    async def work() -> str:
        class Endless(Wire):
            async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
                begun.set()
                return await asyncio.Event().wait()

        begun = asyncio.Event()
        call = interpreter(FakeContainers(), wrap=Endless).call("code_interpreter", "{}")
        task = asyncio.create_task(call.run())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(call.item, CodeInterpreterCall)
        return call.item.status

    assert asyncio.run(work()) == "incomplete"


def test_responses_show_the_tool_without_its_memory_limit() -> None:
    tool = CodeInterpreterTool(container=AutoContainer(file_ids=["file-1"], memory_limit="1g"))
    assert msgspec.to_builtins(echo(tool)) == {
        "type": "code_interpreter",
        "container": {"type": "auto", "file_ids": ["file-1"]},
    }
    named = CodeInterpreterTool(container="cntr_1")
    assert echo(named) is named
