"""Lanes of a connection: order, limits, memory, forks."""

import pytest

from antiphon.errors import UpstreamUnreachable
from antiphon.server.websocket import connection, lanes
from antiphon.server.websocket.lanes import Lanes
from antiphon.service.access.keys import KeySettings
from antiphon.service.access.limits import Limits
from antiphon.service.responses.gather import Turn
from antiphon.wire.items import Message
from antiphon.wire.json import JSONObject
from tests.server.websocket.stage import ENDS, Stage, staged, text_of


async def error_code(given: Stage, lane: str | None = None, count: int = 1) -> str:
    code: str = (await given.until("error", lane, count))["error"]["code"]
    return code


def test_lanes_run_at_the_same_time_and_each_keeps_its_order() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("a1", "b1", "d1")
        for text, lane in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("d1", None), ("d2", None)):
            given.create(text, **({} if lane is None else {"stream_id": lane}))
        for text in ("a1", "b1", "d1"):
            await given.brain.begun[text].wait()
        assert given.brain.running == ["a1", "b1", "d1"]
        given.brain.gates["b1"].set()
        await given.until("response.completed", "b", 2)
        assert [each["type"] for each in given.frames if each["type"] in ENDS] == ["response.completed"] * 2
        given.brain.gates["d1"].set()
        await given.until("response.completed", None, 2)
        given.brain.gates["a1"].set()
        await given.until("response.completed", "a", 2)
        for lane in ("a", "b", None):
            assert given.kinds(lane) == ["created", "completed"] * 2
            texts = [text_of(each) for each in given.of(lane) if each["type"] == "response.completed"]
            assert texts == [f"re: {lane or 'd'}1", f"re: {lane or 'd'}2"]
        assert all("stream_id" not in each for each in given.of(None))

    staged(scenario)


def test_16_responses_run_and_more_wait() -> None:
    async def scenario(given: Stage) -> None:
        names = [f"lane-{number}" for number in range(20)]
        given.brain.hold(*names)
        for name in names:
            given.create(name, stream_id=name)
        for name in names[:16]:
            await given.brain.begun[name].wait()
        await given.until("response.created", names[15])
        assert given.brain.running == names[:16]
        given.brain.gates[names[3]].set()
        await given.brain.begun[names[16]].wait()
        assert given.brain.most == 16
        for gate in given.brain.gates.values():
            gate.set()
        await given.ends(20)
        assert given.brain.most == connection.MAX_RUNNING == 16

    staged(scenario)


def test_32_named_lanes_and_the_default_lane() -> None:
    async def scenario(given: Stage) -> None:
        names = [f"{number}.{'x' * 253}" for number in range(32)]
        for name in names:
            given.create("Hi", stream_id=name[:256])
        given.create("Hi", stream_id="one-more")
        refused = await given.until("error", "one-more")
        assert refused == {
            "type": "error",
            "status": 400,
            "stream_id": "one-more",
            "error": {
                "type": "invalid_request_error",
                "code": "websocket_stream_limit_reached",
                "param": "stream_id",
                "message": "This WebSocket connection has reached its maximum number of distinct stream IDs "
                "(32). Reuse an existing stream_id or open a new WebSocket connection.",
            },
        }
        await given.ends(32)
        await given.ask("Hi")
        await given.ask("Hi", stream_id=names[7][:256])

    staged(scenario)


def test_an_invalid_lane_has_no_name_in_its_error() -> None:
    async def scenario(given: Stage) -> None:
        given.create("Hi", stream_id="ä")
        refused = await given.until("error")
        assert refused == {
            "type": "error",
            "status": 400,
            "error": {
                "type": "invalid_request_error",
                "code": "invalid_stream_id",
                "param": "stream_id",
                "message": "The 'stream_id' field must be a non-empty string with at most 256 characters and "
                "may only contain letters, numbers, underscores, hyphens, and periods.",
            },
        }
        assert (await given.ask("Hi", stream_id=None))["status"] == "completed"

    staged(scenario)


def test_errors_of_a_lane_have_its_name_and_stop_no_other_lane() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("slow")
        given.create("slow", stream_id="b")
        given.create("Hi", stream_id="a", model="none")
        assert await error_code(given, "a") == "model_not_found"
        given.create("Hi", stream_id="a", background=True)
        assert await error_code(given, "a", 2) == "unsupported_parameter"
        given.create("Hi", stream_id="a", temperature=9)
        assert await error_code(given, "a", 3) == "decimal_above_max_value"
        given.brain.gates["slow"].set()
        await given.until("response.completed", "b")

    staged(scenario)


def test_each_lane_keeps_its_newest_response() -> None:
    async def scenario(given: Stage) -> None:
        first = {lane: (await given.ask(f"{lane}1", stream_id=lane))["id"] for lane in ("a", "b")}
        second = await given.ask("a2", stream_id="a")
        given.create("x", stream_id="a", previous_response_id=first["a"])
        assert await error_code(given, "a") == "previous_response_not_found"
        await given.ask("b2", stream_id="b", previous_response_id=first["b"])
        assert [text for role, text in given.brain.told("b2") if role == "user"] == ["b1", "b2"]
        await given.ask("a3", stream_id="a", previous_response_id=second["id"])
        assert [text for role, text in given.brain.told("a3") if role == "user"] == ["a2", "a3"]

    staged(scenario)


def test_a_fork_continues_the_response_of_another_lane() -> None:
    async def scenario(given: Stage) -> None:
        parent = (await given.ask("a1", stream_id="a"))["id"]
        for name in ("b", "c"):
            await given.ask(name, stream_id=name, previous_response_id=parent)
            assert [text for role, text in given.brain.told(name) if role == "user"] == ["a1", name]
        # The lane of the parent moves on while a fork runs.
        given.brain.hold("d")
        given.create("d", stream_id="d", previous_response_id=parent)
        await given.until("response.in_progress", "d")
        await given.ask("a2", stream_id="a", previous_response_id=parent)
        given.brain.gates["d"].set()
        await given.until("response.completed", "d")
        assert [text for role, text in given.brain.told("d") if role == "user"] == ["a1", "d"]
        given.create("e", stream_id="e", previous_response_id=parent)
        assert await error_code(given, "e") == "previous_response_not_found"

    staged(scenario)


@pytest.mark.parametrize("failure", ["invalid", "backend"])
def test_a_failure_evicts_the_response_of_its_own_lane_alone(failure: str) -> None:
    async def scenario(given: Stage) -> None:
        given.brain.replies["fails"] = [UpstreamUnreachable("m")]
        text, more = ("x", {"temperature": 9}) if failure == "invalid" else ("fails", {})
        parent = (await given.ask("a1", stream_id="a"))["id"]
        event = "error" if failure == "invalid" else "response.failed"
        given.create(text, stream_id="fork", previous_response_id=parent, **more)
        await given.until(event, "fork")
        await given.ask("again", stream_id="fork", previous_response_id=parent)
        given.create(text, stream_id="a", previous_response_id=parent, **more)
        await given.until(event, "a")
        count = sum(each["type"] == "error" for each in given.of("a"))
        given.create("x", stream_id="a", previous_response_id=parent)
        assert await error_code(given, "a", count + 1) == "previous_response_not_found"

    staged(scenario)


def test_a_lane_without_a_previous_response_begins_a_new_chain() -> None:
    async def scenario(given: Stage) -> None:
        await given.ask("one", stream_id="a")
        await given.ask("two", stream_id="a")
        assert given.brain.told("two") == [("user", "two")]

    staged(scenario)


def turn(response_id: str, *texts: str) -> Turn:
    return Turn(response_id, [Message(role="user", content=text) for text in texts])


def kept(given: Lanes, *ids: str) -> list[str]:
    """Return the ids that are in memory."""
    return [each for each in ids if given.with_response(each) is not None]


def test_the_memory_of_a_connection_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest responses go first, and the context of a response counts."""
    monkeypatch.setattr(lanes, "MAX_KEPT", 3000)
    given = Lanes()
    for name in "abcd":
        given.keep(given.lane(name), turn(name, "x" * 900), None, 0)
    assert kept(given, *"abcd") == ["b", "c", "d"]
    given.keep(given.lane("b"), turn("b2", "x"), None, 0)
    assert kept(given, "b", "b2", "c", "d") == ["b2", "c", "d"]
    parent = given.lane("d").latest
    assert parent is not None
    long = Turn("d2", [*parent.items, Message(role="user", content="x" * 1800)])
    given.keep(given.lane("d"), long, parent, given.lane("d").size)
    assert given.lane("d").size > 2700
    assert kept(given, "b2", "c", "d", "d2") == ["b2", "d2"]
    longer = Turn("d3", [*long.items, Message(role="user", content="x" * 900)])
    given.keep(given.lane("d"), longer, long, given.lane("d").size)
    assert kept(given, "b2", "d2", "d3") == []
    # A compacted context is shorter than the one before.
    given.keep(given.lane("e"), turn("e", "x"), longer, 10**9)
    assert kept(given, "e") == ["e"]


def test_a_conversation_runs_one_response_at_a_time() -> None:
    async def scenario(given: Stage) -> None:
        named: JSONObject = {"conversation": await given.conversation(), "store": True}
        given.brain.hold("slow")
        given.create("slow", stream_id="a", **named)
        await given.brain.begun["slow"].wait()
        given.create("Hi", stream_id="b", **named)
        assert await error_code(given, "b") == "conversation_locked"
        given.brain.gates["slow"].set()
        await given.until("response.completed", "a")
        await given.ask("Hi", stream_id="b", **named)
        assert [text for role, text in given.brain.told("Hi") if role == "user"] == ["slow", "Hi"]

    staged(scenario)


def test_limits_of_a_key_hold_for_all_lanes() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("a", "b")
        for name in ("a", "b"):
            given.create(name, stream_id=name)
            await given.brain.begun[name].wait()
        given.create("c", stream_id="c")
        assert await error_code(given, "c") == "rate_limit_exceeded"
        given.brain.gates["a"].set()
        await given.until("response.completed", "a")
        await given.ask("c", stream_id="c")
        given.create("d", stream_id="d")
        assert await error_code(given, "d") == "rate_limit_exceeded"
        # A successor is a request, too.
        created = await given.until("response.created", "b")
        given.steer(created["response"]["id"], "Stop")
        await given.until("response.steer.accepted", "b")
        given.brain.gates["b"].set()
        failed = await given.until("response.steer.failed", "b")
        assert failed["error"]["code"] == "successor_creation_failed"

    staged(scenario, KeySettings(limits=Limits(concurrent_streams=2, requests_per_minute=4)))


def test_a_client_that_leaves_ends_the_responses_of_all_lanes() -> None:
    async def scenario(given: Stage) -> None:
        names = [f"lane-{number}" for number in range(20)]
        given.brain.hold(*names)
        for name in names:
            given.create(name, stream_id=name, store=True)
        for name in names[:16]:
            await given.brain.begun[name].wait()
        created = [each["response"]["id"] for each in given.frames if each["type"] == "response.created"]
        await given.leave()
        assert len(created) == 16
        assert await given.statuses(*created) == ["cancelled"] * 16
        assert given.brain.running == []
        assert len(given.brain.requests) == 16

    staged(scenario)


def test_a_response_that_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_WAITING", 3)

    async def scenario(given: Stage) -> None:
        given.brain.hold("slow")
        given.create("slow", stream_id="a")
        await given.brain.begun["slow"].wait()
        for number in range(4):
            given.create(f"{number}", stream_id="a")
        refused = await given.until("error", "a")
        assert refused["status"] == 429
        assert "is full (requests: 3)" in refused["error"]["message"]
        given.brain.gates["slow"].set()
        await given.until("response.completed", "a", 4)

    staged(scenario)
