"""Background responses over HTTP, on both databases."""

import pytest

from antiphon.service.retention import Retention
from antiphon.wire.json import JSONObject
from tests.server.client import SECONDS, call, get, post
from tests.server.following import BODY, cancel, finished, followed, stream
from tests.support.postgresql import ON_BOTH
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk, reply, silence, sse

pytestmark = ON_BOTH

HELLO = sse(chunk("Hel"), chunk("lo"), chunk(finish="stop"))
TYPES = [
    "response.created",
    "response.queued",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def test_a_response_is_queued_and_polled(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    queued = post(server.url, "/responses", BODY)
    assert queued.status == 200
    response = queued.json
    assert (response["status"], response["background"], response["output"]) == ("queued", True, [])
    done = finished(server.url, response["id"])
    assert done["status"] == "completed"
    assert done["background"] is True
    assert done["output"][0]["content"][0]["text"] == "Hello"
    changed = {"status", "output", "usage", "completed_at", "service_tier"}
    assert {key: value for key, value in done.items() if key not in changed} == {
        key: value for key, value in response.items() if key not in changed
    }
    assert len(upstream.requests) == 1


def test_a_stream_begins_with_created_and_queued(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    events = post(server.url, "/responses", BODY | {"stream": True}).payloads
    assert [event["type"] for event in events] == TYPES
    assert [event["sequence_number"] for event in events] == list(range(len(TYPES)))
    assert [event["response"]["status"] for event in events[:3]] == ["queued", "queued", "in_progress"]
    stored = get(server.url, f"/responses/{events[0]['response']['id']}").json
    assert stored == events[-1]["response"]


def test_D15_a_stream_resumes_after_every_event(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    whole = post(server.url, "/responses", BODY | {"stream": True}).payloads
    response_id = whole[0]["response"]["id"]
    assert followed(server.url, response_id).payloads == whole
    for after in range(len(whole) + 2):
        assert followed(server.url, response_id, after).payloads == whole[after + 1 :]


def test_a_client_joins_while_the_response_runs(server: Serving, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), end="hang", done=False))
    response_id = post(server.url, "/responses", BODY).json["id"]
    assert upstream.hanging.wait(SECONDS)
    with stream(server.url, response_id) as lines:
        seen = [next(lines) for _ in range(6)]
        assert [event["sequence_number"] for event in seen] == list(range(6))
        assert get(server.url, f"/responses/{response_id}").json["status"] == "in_progress"
        assert cancel(server.url, response_id).json["status"] == "cancelled"
        last = list(lines)[-1]
    assert last["response"]["status"] == "cancelled"


def test_D16_two_clients_follow_one_response(server: Serving, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), end="hang", done=False))
    response_id = post(server.url, "/responses", BODY).json["id"]
    assert upstream.hanging.wait(SECONDS)
    with stream(server.url, response_id) as one, stream(server.url, response_id) as two:
        first = [[next(lines) for _ in range(4)] for lines in (one, two)]
        assert first[0] == first[1]
        cancel(server.url, response_id)
        assert list(one) == list(two)


def test_D14_a_client_that_leaves_changes_nothing(server: Serving, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), end="hang", done=False))
    response_id = post(server.url, "/responses", BODY).json["id"]
    assert upstream.hanging.wait(SECONDS)
    with stream(server.url, response_id) as lines:
        next(lines)
    assert not upstream.disconnected.wait(0.3)
    assert get(server.url, f"/responses/{response_id}").json["status"] == "in_progress"
    cancel(server.url, response_id)


def test_cancellation_closes_the_connection_and_keeps_what_was_finished(
    server: Serving, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hel"), end="hang", done=False))
    response_id = post(server.url, "/responses", BODY).json["id"]
    assert upstream.hanging.wait(SECONDS)
    cancelled = cancel(server.url, response_id)
    assert upstream.disconnected.wait(1.0)
    response = cancelled.json
    assert response["status"] == "cancelled"
    assert response["completed_at"] is None
    assert [item["status"] for item in response["output"]] == ["incomplete"]
    assert response["output"][0]["content"][0]["text"] == "Hel"
    assert get(server.url, f"/responses/{response_id}").json == response
    events = followed(server.url, response_id).payloads
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"] == response


def test_D18_a_second_cancellation_returns_the_same_response(server: Serving, upstream: Upstream) -> None:
    upstream.script(silence(), HELLO)
    response_id = post(server.url, "/responses", BODY).json["id"]
    assert upstream.hanging.wait(SECONDS)
    first = cancel(server.url, response_id)
    assert first.json["status"] == "cancelled"
    second = cancel(server.url, response_id)
    assert (second.status, second.json) == (200, first.json)
    done = finished(server.url, post(server.url, "/responses", BODY).json["id"])
    assert done["status"] == "completed"
    assert cancel(server.url, done["id"]).json == done


def test_only_background_responses_are_cancelled_and_followed(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    response_id = post(server.url, "/responses", {"model": "m", "input": "hi"}).json["id"]
    refused = cancel(server.url, response_id)
    assert (refused.status, refused.error["message"]) == (400, "Cannot cancel a synchronous response.")
    refused = followed(server.url, response_id)
    assert (refused.status, refused.error["param"]) == (400, "stream")
    for unknown in (cancel(server.url, "resp_none"), followed(server.url, "resp_none")):
        assert unknown.status == 404


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"store": False}, "store"),
        ({"background_options": {"completion_window": "8h"}, "stream": True},
         "background_options.completion_window"),
        ({"background_options": {"completion_window": "2h"}, "background": False},
         "background_options.completion_window"),
        ({"background_options": {"completion_window": "2h"}, "service_tier": "priority"},
         "background_options.completion_window"),
        ({"background_options": {"completion_window": "1h"}}, "background_options.completion_window"),
        ({"model": "unknown/m"}, "model"),
        ({"previous_response_id": "resp_none"}, "previous_response_id"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused_at_once(
    server: Serving, upstream: Upstream, changes: JSONObject, param: str
) -> None:
    refused = post(server.url, "/responses", BODY | changes)
    assert refused.status in (400, 404)
    assert refused.error["param"] == param
    assert upstream.requests == []


def test_a_completion_window_is_accepted_and_not_echoed(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    body = BODY | {"background_options": {"completion_window": "8h", "continuation_id": "a"}}
    response = post(server.url, "/responses", body).json
    assert "background_options" not in response
    assert finished(server.url, response["id"])["status"] == "completed"


def test_a_failure_of_the_backend_fails_the_response(server: Serving, upstream: Upstream) -> None:
    upstream.script(reply({"error": {"message": "no"}}, status=500))
    response_id = post(server.url, "/responses", BODY).json["id"]
    done = finished(server.url, response_id)
    assert done["status"] == "failed"
    assert done["error"]["code"] == "server_error"
    events = followed(server.url, response_id).payloads
    assert [event["type"] for event in events] == [*TYPES[:3], "error", "response.failed"]


def test_a_response_continues_a_background_response(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    first = finished(server.url, post(server.url, "/responses", BODY).json["id"])
    body = BODY | {"input": "and?", "previous_response_id": first["id"]}
    second = finished(server.url, post(server.url, "/responses", body).json["id"])
    assert second["status"] == "completed"
    messages = upstream.requests[-1].json["messages"]
    assert [message["content"] for message in messages] == ["hi", "Hello", "and?"]


def test_a_conversation_is_locked_until_the_response_ends(
    server: Serving, upstream: Upstream, conversation: str
) -> None:
    upstream.script(sse(chunk("Hel"), end="hang", done=False), HELLO)
    body = BODY | {"conversation": conversation}
    response_id = post(server.url, "/responses", body).json["id"]
    assert upstream.hanging.wait(SECONDS)
    locked = post(server.url, "/responses", {"model": "m", "input": "x", "conversation": conversation})
    assert locked.error["code"] == "conversation_locked"
    cancel(server.url, response_id)
    done = finished(server.url, post(server.url, "/responses", body).json["id"])
    assert done["status"] == "completed"
    items = get(server.url, f"/conversations/{conversation}/items").json["data"]
    assert len(items) == 2


def test_D19_a_response_is_deleted_while_it_runs(server: Serving, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), chunk("lo"), end="hang", done=False))
    response_id = post(server.url, "/responses", BODY).json["id"]
    assert upstream.hanging.wait(SECONDS)
    with stream(server.url, response_id) as lines:
        next(lines)
        assert call(server.url, "DELETE", f"/responses/{response_id}").status == 200
        assert all(event["type"] != "response.completed" for event in lines)
    assert get(server.url, f"/responses/{response_id}").status == 404
    assert cancel(server.url, response_id).status == 404
    assert upstream.disconnected.wait(SECONDS), "the connection to the backend is closed"


def test_expired_events_are_an_error_of_their_own(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    response_id = post(server.url, "/responses", BODY).json["id"]
    done = finished(server.url, response_id)
    retention = Retention(server.store, server.file_services.files.folder, {"event_logs": 0.0})
    assert server.call(retention.apply())["event_logs"] >= 1
    refused = followed(server.url, response_id)
    assert (refused.status, refused.json["error"]["code"]) == (400, "event_log_expired")
    assert get(server.url, f"/responses/{response_id}").json == done
    assert cancel(server.url, response_id).json == done


def test_a_bad_starting_after_is_refused(server: Serving, upstream: Upstream) -> None:
    for value in ("x", "-1", "1.5", "9" * 30):
        refused = get(server.url, f"/responses/resp_1?stream=true&starting_after={value}")
        assert (refused.status, refused.error["param"]) == (400, "starting_after")


def test_clients_of_llama_stack_follow_a_response_in_their_dialect(
    server: Serving, upstream: Upstream
) -> None:
    upstream.script(HELLO)
    response_id = post(server.url, "/responses", BODY).json["id"]
    path = f"/responses/{response_id}?stream=true"
    events = call(server.url, "GET", path, headers={"User-Agent": "OgxClient/Python 1.1.3"}).payloads
    assert [event["type"] for event in events] == TYPES
    assert [event["sequence_number"] for event in events] == list(range(len(TYPES)))
    items = [event for event in events if event["type"].startswith("response.output_item.")]
    assert [event["response_id"] for event in items] == [response_id] * 2


def test_a_repeated_request_with_a_key_queues_nothing(server: Serving, upstream: Upstream) -> None:
    upstream.script(HELLO)
    headers = {"Idempotency-Key": "background-1"}
    first = post(server.url, "/responses", BODY, headers)
    again = post(server.url, "/responses", BODY, headers)
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    finished(server.url, first.json["id"])
    assert len(upstream.chats) == 1
