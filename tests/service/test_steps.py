"""The steps that the log keeps of a response."""

import asyncio
import json
from contextlib import suppress

import msgspec
import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.service.log.stored import Steps, steps_of, summary_of
from antiphon.service.responses.responses import LogSettings, Responses
from antiphon.settings.schema import LogContent
from antiphon.store.log.rows import LogQuery
from antiphon.wire.log import ModelStep, Summary, ToolStep
from tests.durable.crashing import ID, Crash, Crashing, HarmlessTool, Servers
from tests.service.log.runs import Runs, opened
from tests.service.world import ME, Catalogue, ScriptedModel, call_function, say


def stored(runs: Runs, response_id: str) -> tuple[Steps, Summary]:
    found = runs.run(runs.store.log.get(ME, response_id))
    assert found is not None
    assert found.steps is not None
    assert found.row.summary is not None
    return steps_of(found.steps), summary_of(found.row.summary)


def responses(runs: Runs, model: ScriptedModel, settings: LogSettings | None = None) -> Responses:
    return Responses(runs.store, Catalogue(model), log=settings)


def respond(runs: Runs, use: Responses, *, store: bool = True) -> str:
    async def made() -> str:
        from antiphon.wire.responses import CreateResponse

        request = CreateResponse(model="up/m", input="Tell me\nabout ferries.", stream=True, store=store)
        async with await use.create(RequestContext(owner=ME, key="alice"), request) as run:
            async for _ in run.events():
                pass
            return run.loop.response.id

    return runs.run(made())


def test_the_steps_of_a_run_are_in_their_order_and_the_items_have_their_texts() -> None:
    with opened() as runs:
        response_id = runs.respond()
        steps, summary = stored(runs, response_id)
        assert [type(step) for step in steps.steps] == [ModelStep, ToolStep, ModelStep, ToolStep, ModelStep]
        models = [step for step in steps.steps if isinstance(step, ModelStep)]
        assert [step.output for step in models] == [0, 3, 6]
        assert [step.finish for step in models] == ["tool_calls", "tool_calls", "stop"]
        assert all(step.first is not None and 0 <= step.first <= step.seconds for step in models)
        assert [step.at for step in steps.steps] == sorted(step.at for step in steps.steps)
        assert (summary.calls, summary.text, summary.tools) == (3, "Hi", ["svc.look"])
        seen = runs.logged(response_id).timeline
        assert [(step.name, step.call) for step in seen] == [
            ("up/m", 1),
            ("svc.look", None),
            ("up/m", 2),
            ("svc.look", None),
            ("up/m", 3),
        ]
        assert [(step.arguments, step.result) for step in seen if step.kind == "tool"] == [
            ('{"n": 1}', "seen 1"),
            ('{"n": 2}', "seen 2"),
        ]
        assert [step.text for step in seen if step.kind == "model"] == [
            "Round 1, look.",
            "Round 2, look.",
            "All done.",
        ]


def test_usage_key_and_called_functions_are_logged() -> None:
    with opened() as runs:
        model = ScriptedModel()
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}}
        model.script([*call_function("call_1", "f"), json.dumps({"choices": [], "usage": usage}).encode()])
        response_id = respond(runs, responses(runs, model))
        steps, summary = stored(runs, response_id)
        (step,) = steps.steps
        assert isinstance(step, ModelStep)
        assert step.usage is not None
        assert (step.usage.input, step.usage.output, step.usage.cached) == (7, 5, 2)
        assert (summary.input, summary.output, summary.tools) == (7, 5, ["f"])
        assert summary.text == "Tell me about ferries."
        assert runs.logged(response_id).entry.key == "alice"


def test_the_error_of_a_backend_is_logged_in_its_words_and_bounded() -> None:
    from antiphon.errors import UpstreamRefused

    with opened() as runs:
        model = ScriptedModel()
        model.script(UpstreamRefused("up: no. " + "x" * 10_000, upstream_status=418))
        response_id = respond(runs, responses(runs, model))
        steps, summary = stored(runs, response_id)
        (step,) = steps.steps
        assert isinstance(step, ModelStep)
        assert step.error is not None
        assert step.error.status == 418
        assert step.error.message is not None
        assert step.error.message.startswith("up: no. x")
        assert len(step.error.message) == 2000
        assert summary.error == step.error == steps.error


def test_metadata_has_no_text_and_the_search_finds_nothing() -> None:
    with opened() as runs:
        model = ScriptedModel()
        response_id = respond(runs, responses(runs, model, LogSettings(content="metadata")))
        steps, summary = stored(runs, response_id)
        (step,) = steps.steps
        assert isinstance(step, ModelStep)
        assert (step.request, summary.text) == (None, "")
        assert step.finish == "stop"
        assert runs.run(runs.log.page(LogQuery(text="ferries"))).data == []


@pytest.mark.parametrize(("content", "unstored"), [("off", True), ("full", False)])
def test_nothing_is_logged_that_the_operator_does_not_want(content: LogContent, *, unstored: bool) -> None:
    with opened() as runs:
        use = responses(runs, ScriptedModel(), LogSettings(content=content, unstored=unstored))
        respond(runs, use, store=False)
        if content == "off":
            response_id = respond(runs, use)
            found = runs.run(runs.store.log.get(ME, response_id))
            assert found is not None
            assert (found.steps, found.row.summary) == (None, None)
        else:
            assert runs.run(runs.log.page(LogQuery())).data == []


def test_of_a_response_that_is_not_stored_only_metadata_is_logged() -> None:
    with opened() as runs:
        use = responses(runs, ScriptedModel(), LogSettings(unstored=True))
        response_id = respond(runs, use, store=False)
        (entry,) = runs.run(runs.log.page(LogQuery(owner=ME))).data
        assert (entry.id, entry.kind, entry.status, entry.key) == (
            response_id,
            "unstored",
            "completed",
            "alice",
        )
        found = runs.run(runs.store.log.get(ME, response_id))
        assert found is not None
        assert "ferries" not in msgspec.json.encode(found).decode()
        assert "Fine" not in msgspec.json.encode(found).decode()


def test_a_client_that_leaves_is_logged_with_what_was_done() -> None:
    with opened() as runs:
        model = ScriptedModel()
        model.script(say("Some ", "words."))
        model.hang = True
        use = responses(runs, model)

        async def leave() -> str:
            from antiphon.wire.responses import CreateResponse

            request = CreateResponse(model="up/m", input="Go.", stream=True)
            async with await use.create(RequestContext(owner=ME), request) as run:
                task = asyncio.ensure_future(_read(run))
                await model.called.wait()
                await asyncio.sleep(0)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await runs.store.servers.heartbeat()
                return run.loop.response.id

        steps, summary = stored(runs, runs.run(leave()))
        (step,) = steps.steps
        assert isinstance(step, ModelStep)
        assert step.error is not None
        assert step.error.type == "cancelled"
        assert summary.seconds is not None


async def _read(run: object) -> None:
    from antiphon.service.responses.run import Run

    assert isinstance(run, Run)
    async for _ in run.events():
        pass


def test_a_crash_at_any_write_leaves_each_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.durable import log

    monkeypatch.setattr(log, "_MANY", 2)
    with opened() as runs:
        servers = Servers(runs.store, HarmlessTool())
        at, has_crashed = 0, True
        while has_crashed:
            at += 3

            async def crash(number: int) -> bool:
                await servers.submit()
                run = await servers.claim()
                with Crashing(runs.store, number, is_committed=True):
                    try:
                        await servers.go_on(run)
                    except Crash:
                        await asyncio.sleep(0)
                    else:
                        return False
                again = await servers.next()
                if again is not None:
                    await servers.go_on(again)
                return True

            has_crashed = runs.run(crash(at))
            steps, summary = stored(runs, ID)
            assert [type(step).__name__[0] for step in steps.steps] == ["M", "T", "M", "T", "M"]
            assert (summary.calls, summary.tools) == (3, ["svc.look"])
            times = [step.at for step in steps.steps]
            assert times == sorted(times)
            assert runs.run(runs.store.responses.delete(ME, ID))
        assert at > 6


def test_the_log_of_a_response_is_bounded() -> None:
    from antiphon.engine.response import new_response
    from antiphon.engine.steps import StepNotes, ToolNote
    from antiphon.service.steps import MOST_STEPS, log_of
    from antiphon.wire.items import McpCall
    from antiphon.wire.responses import CreateResponse

    item = McpCall(
        id="mcp_1",
        status="completed",
        approval_request_id=None,
        arguments="{}",
        error=None,
        name="n" * 10_000,
        output="",
        server_label="svc",
    )
    notes = StepNotes()
    notes.notes = [ToolNote(lambda: item, is_approved=False) for _ in range(MOST_STEPS + 5)]
    response = new_response(CreateResponse(model="m", input="x"), "resp_1", 1)
    response.output = [item]
    logged = log_of(notes, response, None)
    assert steps_of(logged.steps).left_out == 5
    assert len(logged.steps) < 100_000
    assert len(logged.tools[0]) == 200
