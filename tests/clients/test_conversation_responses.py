"""Responses in conversations, through OpenAI's SDK."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.responses import Response

from antiphon.wire.json import JSON
from tests.clients.replies import WEATHER, calls, says
from tests.store.samples import count_rows
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, chunk, reply, sse


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[Serving]:
    """Start a server for one test: a response that a test abandons may be stored during the next test."""
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        yield server


def kinds(client: OpenAI, conversation: str) -> list[str]:
    return [item.type for item in client.conversations.items.list(conversation, order="asc")]


def texts(client: OpenAI, conversation: str) -> list[str]:
    items: JSON = client.conversations.items.list(conversation, order="asc")
    return [item.content[0].text for item in items]


def insist(client: OpenAI, text: str, conversation: str) -> Response:
    """Repeat the request until the conversation is unlocked, as the error message advises."""
    while True:
        try:
            return client.responses.create(model="up/m", input=text, conversation=conversation)
        except BadRequestError as error:
            if error.code != "conversation_locked":
                raise


def seen(upstream: Upstream) -> list[str]:
    """Return the messages of the last call to the backend."""
    return [message["content"] for message in upstream.chats[-1].json["messages"]]


@pytest.mark.parametrize("stream", [False, True])
def test_input_and_output_are_appended(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    upstream.script(says("One."), says("Two."))
    conversation = client.conversations.create(items=[{"role": "user", "content": "zero"}]).id
    for word in ("one", "two"):
        if stream:
            *_, last = client.responses.create(
                model="up/m", input=word, conversation=conversation, stream=True
            )
            assert last.type == "response.completed"
        else:
            client.responses.create(model="up/m", input=word, conversation=conversation)
    assert texts(client, conversation) == ["zero", "one", "One.", "two", "Two."]
    assert seen(upstream) == ["zero", "one", "One.", "two"]


def test_the_response_names_its_conversation(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Yes."))
    conversation = client.conversations.create().id
    named: JSON = {"id": conversation}
    response = client.responses.create(model="up/m", input="?", conversation=named)
    assert response.conversation is not None
    assert response.conversation.id == conversation
    stored = client.responses.retrieve(response.id)
    assert stored.to_dict() == response.to_dict()
    question, answer = client.conversations.items.list(conversation, order="asc")
    assert question.id is not None
    assert re.fullmatch(r"msg_[0-9a-f]{50}", question.id)
    assert answer.id == response.output[0].id
    assert [item.id for item in client.responses.input_items.list(response.id)] == [question.id]


def test_all_output_is_appended(client: OpenAI, upstream: Upstream) -> None:
    called = {"index": 0, "id": "call_1", "function": {"name": "get_weather", "arguments": "{}"}}
    upstream.script(
        sse(
            chunk(reasoning_content="Hm."),
            chunk("Wait."),
            chunk(tool_calls=[called]),
            chunk(finish="tool_calls"),
        ),
        says("Cold."),
    )
    conversation = client.conversations.create().id
    tools: JSON = [WEATHER]
    client.responses.create(model="up/m", input="Oslo?", conversation=conversation, tools=tools)
    output: JSON = [{"type": "function_call_output", "call_id": "call_1", "output": "-3"}]
    client.responses.create(model="up/m", input=output, conversation=conversation, tools=tools)
    assert kinds(client, conversation) == [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]
    user, assistant, tool = upstream.chats[1].json["messages"]
    assert (user["content"], assistant["content"], tool["content"]) == ("Oslo?", "Wait.", "-3")


def test_one_response_at_a_time(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Wai"), done=False, end="hang"))
    conversation = client.conversations.create().id
    other = client.conversations.create().id
    with client.responses.create(
        model="up/m", input="first", conversation=conversation, stream=True
    ) as first:
        assert next(first).type == "response.created"
        assert upstream.hanging.wait(10)
        upstream.script(says("Free."))
        for stream in (False, True):
            with pytest.raises(BadRequestError, match="Another process is currently operating") as caught:
                client.responses.create(
                    model="up/m", input="second", conversation=conversation, stream=stream
                )
            assert (caught.value.code, caught.value.param) == ("conversation_locked", "conversation")
        free = client.responses.create(model="up/m", input="elsewhere", conversation=other)
        assert free.output_text == "Free."
    assert upstream.disconnected.wait(10)


def test_a_response_that_was_left_lets_the_next_one_in(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Wai"), done=False, end="hang"), says("Next."))
    conversation = client.conversations.create().id
    with client.responses.create(
        model="up/m", input="first", conversation=conversation, stream=True
    ) as first:
        created = next(first)
        assert created.type == "response.created"
        assert upstream.hanging.wait(10)
    assert upstream.disconnected.wait(10)
    response = insist(client, "second", conversation)
    assert response.output_text == "Next."
    assert client.responses.retrieve(created.response.id).status == "cancelled"
    assert texts(client, conversation) == ["second", "Next."]


def test_a_failed_response_appends_nothing_and_unlocks(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply({"error": {"message": "no"}}, status=400), says("Yes."))
    conversation = client.conversations.create().id
    with pytest.raises(BadRequestError):
        client.responses.create(model="up/m", input="first", conversation=conversation)
    assert texts(client, conversation) == []
    client.responses.create(model="up/m", input="second", conversation=conversation)
    assert texts(client, conversation) == ["second", "Yes."]


def test_a_refused_request_leaves_no_lock(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Yes."))
    conversation = client.conversations.create().id
    orphan: JSON = [{"type": "function_call_output", "call_id": "call_9", "output": "x"}]
    nothing: JSON = [{"type": "item_reference", "id": "msg_none"}]
    for wrong in (orphan, nothing):
        with pytest.raises((BadRequestError, NotFoundError)):
            client.responses.create(model="up/m", input=wrong, conversation=conversation)
    assert client.responses.create(model="up/m", input="?", conversation=conversation).output_text == "Yes."


def test_many_at_once_lose_nothing(client: OpenAI, upstream: Upstream) -> None:
    """A request that gets the lock has its whole turn appended; every other request gets an error."""
    upstream.script(says("Yes."))
    conversation = client.conversations.create().id
    start = threading.Barrier(8)

    def ask(number: int) -> bool:
        start.wait()
        try:
            client.responses.create(model="up/m", input=str(number), conversation=conversation)
        except BadRequestError as error:
            if error.code != "conversation_locked":
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        let_in = [number for number, done in enumerate(pool.map(ask, range(8))) if done]
    found = texts(client, conversation)
    assert found[1::2] == ["Yes."] * len(let_in)
    assert sorted(found[::2]) == [str(number) for number in let_in]
    assert let_in


def test_a_follow_up_branches_from_the_response(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("One."), says("Branch."), says("Twig."))
    conversation = client.conversations.create(items=[{"role": "user", "content": "zero"}]).id
    first = client.responses.create(model="up/m", input="one", conversation=conversation)
    client.conversations.items.create(conversation, items=[{"role": "user", "content": "later"}])
    branch = client.responses.create(model="up/m", input="two", previous_response_id=first.id)
    assert branch.conversation is None
    assert seen(upstream) == ["zero", "one", "One.", "two"]
    assert texts(client, conversation) == ["zero", "one", "One.", "later"]
    client.responses.create(model="up/m", input="three", previous_response_id=branch.id)
    assert seen(upstream) == ["zero", "one", "One.", "two", "Branch.", "three"]


def test_store_false_reads_the_conversation_and_leaves_nothing(
    client: OpenAI, server: Serving, upstream: Upstream
) -> None:
    upstream.script(says("One."))
    conversation = client.conversations.create(items=[{"role": "user", "content": "zero"}]).id
    url = f"sqlite:///{server.store.location}"
    before = count_rows(url)
    response = client.responses.create(model="up/m", input="one", conversation=conversation, store=False)
    assert response.output_text == "One."
    assert seen(upstream) == ["zero", "one"]
    assert count_rows(url) == before
    assert texts(client, conversation) == ["zero"]


def test_a_deleted_item_is_not_seen(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Yes."))
    items: JSON = [{"role": "user", "content": word} for word in ("keep", "drop")]
    conversation = client.conversations.create(items=items).id
    (dropped,) = client.conversations.items.list(conversation, limit=1).data
    assert dropped.id is not None
    client.conversations.items.delete(dropped.id, conversation_id=conversation)
    client.responses.create(model="up/m", input="?", conversation=conversation)
    assert seen(upstream) == ["keep", "?"]


def test_deleting_a_response_leaves_the_conversation(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("One."))
    conversation = client.conversations.create().id
    response = client.responses.create(model="up/m", input="one", conversation=conversation)
    client.responses.delete(response.id)
    assert texts(client, conversation) == ["one", "One."]


def test_deleting_a_conversation_leaves_its_responses(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("One."), says("Two."))
    conversation = client.conversations.create().id
    response = client.responses.create(model="up/m", input="one", conversation=conversation)
    client.conversations.delete(conversation)
    assert client.responses.retrieve(response.id).output_text == "One."
    client.responses.create(model="up/m", input="two", previous_response_id=response.id)
    assert seen(upstream) == ["one", "One.", "two"]
    with pytest.raises(NotFoundError, match="not found"):
        client.responses.create(model="up/m", input="three", conversation=conversation)


def test_a_conversation_that_is_deleted_meanwhile(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Wai"), done=False, end="hang"))
    conversation = client.conversations.create().id
    with client.responses.create(
        model="up/m", input="first", conversation=conversation, stream=True
    ) as first:
        assert next(first).type == "response.created"
        client.conversations.delete(conversation)
    assert upstream.disconnected.wait(10)
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(conversation)


def test_not_both_a_conversation_and_a_previous_response(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("One."))
    conversation = client.conversations.create().id
    response = client.responses.create(model="up/m", input="one")
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(
            model="up/m", input="?", conversation=conversation, previous_response_id=response.id
        )
    assert caught.value.code == "mutually_exclusive_parameters"


def test_an_unknown_conversation_is_not_found(client: OpenAI) -> None:
    for store in (True, False):
        with pytest.raises(NotFoundError, match="Conversation with id 'conv_none' not found"):
            client.responses.create(model="up/m", input="?", conversation="conv_none", store=store)


def test_parallel_calls_continue_in_the_conversation(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"}), ("call_2", "get_weather", {"city": "Rome"})),
        says("Cold, warm."),
    )
    conversation = client.conversations.create().id
    tools: JSON = [WEATHER]
    client.responses.create(model="up/m", input="?", conversation=conversation, tools=tools)
    outputs: JSON = [
        {"type": "function_call_output", "call_id": call_id, "output": "ok"}
        for call_id in ("call_2", "call_1")
    ]
    client.responses.create(model="up/m", input=outputs, conversation=conversation, tools=tools)
    _, assistant, *answers = upstream.chats[1].json["messages"]
    assert len(assistant["tool_calls"]) == 2
    assert [answer["tool_call_id"] for answer in answers] == ["call_1", "call_2"]
