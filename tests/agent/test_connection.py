"""Streams that break, end early, or that nobody reads to the end."""

import asyncio
from contextlib import aclosing

import pytest

from antiphon.agent import Agent, AsyncAgent, StepProgress, TurnCompleted, TurnFailed, connection
from antiphon.wire.json import JSONObject
from tests.agent.running import Runner
from tests.agent.scripted import Cut, Refusal, Script, created, delta, ended, message, numbered, says
from tests.agent.wellformed import check, text_of

BACKGROUND: JSONObject = {"background": True}
REST = numbered(delta("lo."), ended(message("Hello.")), start=2)


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DELAYS", (0.0, 0.0, 0.0))


def begun() -> list[JSONObject]:
    return numbered(created(), delta("Hel"))


@pytest.mark.parametrize("breaks", [True, False])
def test_a_lost_stream_resumes_after_its_last_event(runner: Runner, script: Script, breaks: bool) -> None:
    script.answers = [Cut(begun(), breaks), REST]
    (events,) = runner.with_settings(request=BACKGROUND).stream("Hi")
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert last.final_text == text_of(events) == "Hello."
    method, path, _ = script.requests[-1]
    assert (method, path) == ("GET", "/v1/responses/resp_1?starting_after=1&stream=true")


def test_events_that_the_server_sends_again_are_dropped(runner: Runner, script: Script) -> None:
    script.answers = [Cut(begun()), [*begun(), *REST]]
    assert text_of(runner.with_settings(request=BACKGROUND).stream("Hi")[0]) == "Hello."


def test_a_server_without_sequence_numbers_loses_no_event(runner: Runner, script: Script) -> None:
    script.answers = [[created(), delta("Hel"), delta("lo."), ended(message("Hello."))]]
    assert text_of(runner.stream("Hi")[0]) == "Hello."


def test_a_stream_is_resumed_until_the_attempts_bring_nothing_new(runner: Runner, script: Script) -> None:
    script.answers = [Cut(begun()), Refusal(503, {"message": "Restarting."}), Cut([]), Cut([])]
    (events,) = runner.with_settings(request=BACKGROUND).stream("Hi")
    last = check(events)
    assert isinstance(last, TurnFailed)
    assert last.code == "connection_lost"
    assert last.error_message == "The connection was lost: the connection broke"
    gets = [path for method, path, _ in script.requests if method == "GET"]
    assert len(gets) == 3
    # The agent gives up, so that nobody needs the server's work.
    assert script.requests[-1][:2] == ("POST", "/v1/responses/resp_1/cancel")


def test_a_refused_resumption_fails_with_the_loss_before_it(runner: Runner, script: Script) -> None:
    refusal = Refusal(400, {"message": "'stream' is supported for background responses only.", "code": None})
    script.answers = [Cut(begun()), refusal]
    last = check(runner.stream("Hi")[0])
    assert isinstance(last, TurnFailed)
    assert (last.error_message, last.code) == (
        "The connection was lost: the connection broke",
        "connection_lost",
    )
    assert len(script.requests) == 2


def test_a_stream_without_sequence_numbers_is_not_resumed(runner: Runner, script: Script) -> None:
    script.answers = [Cut([created(), delta("Hel")])]
    last = check(runner.with_settings(request=BACKGROUND).stream("Hi")[0])
    assert isinstance(last, TurnFailed)
    assert last.code == "connection_lost"
    assert [path for _, path, _ in script.requests] == ["/v1/responses", "/v1/responses/resp_1/cancel"]


def test_a_stream_that_breaks_before_its_first_event_fails(runner: Runner, script: Script) -> None:
    script.answers = [Cut([])]
    last = check(runner.stream("Hi")[0])
    assert isinstance(last, TurnFailed)
    assert (last.code, len(script.requests)) == ("connection_lost", 1)


def test_a_connection_that_breaks_after_the_last_event_does_no_harm(runner: Runner, script: Script) -> None:
    script.answers = [Cut(says("Hello."))]
    assert isinstance(check(runner.stream("Hi")[0]), TurnCompleted)
    assert script.closed == 1


@pytest.mark.parametrize("request_body", [BACKGROUND, {}])
def test_a_client_that_stops_reading_closes_the_stream(script: Script, request_body: JSONObject) -> None:
    script.answers = [says("Hello.")]
    with script.client() as client:
        for event in Agent(client, model="m", request=request_body).stream("Hi"):
            if isinstance(event, StepProgress):
                break
        del event
    assert script.closed == 1
    cancels = [path for _, path, _ in script.requests if path.endswith("/cancel")]
    assert cancels == (["/v1/responses/resp_1/cancel"] if request_body else [])


def test_a_task_that_is_cancelled_closes_the_stream_and_cancels_the_response(script: Script) -> None:
    reading = asyncio.Event()

    async def read() -> None:
        async with script.async_client() as client:
            agent = AsyncAgent(client, model="m", request=BACKGROUND)
            async with aclosing(agent.stream("Hi")) as events:
                async for event in events:
                    if isinstance(event, StepProgress):
                        reading.set()
                        await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(read())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    script.answers = [says("Hello.")]
    asyncio.run(run())
    assert script.closed == 1
    assert script.requests[-1][:2] == ("POST", "/v1/responses/resp_1/cancel")
