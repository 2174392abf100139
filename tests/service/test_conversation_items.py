"""Conversations and the responses in them, with their locks."""

import asyncio

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConversationLocked, InvalidRequest, NotFound, UpstreamBroken
from antiphon.store.errors import DuplicateItem, ItemAlreadyInConversation, ObjectNotFound
from antiphon.wire.conversations import UpdateConversation
from antiphon.wire.json import JSON
from tests.service.world import ME, World, call_function, say, user, wire


def texts(world: World, conversation: str) -> list[str]:
    return [item["content"][0]["text"] for item in world.items(conversation)]


def test_ids_of_conversations_and_their_items(world: World) -> None:
    conversation = world.begin(user("a"))
    (item,) = world.items(conversation)
    assert len(conversation) == len("conv_") + 48
    assert len(item["id"]) == len("msg_") + 48


def test_items_are_stored_once_in_many_conversations(world: World) -> None:
    first = world.begin(user("a"))
    (item,) = world.items(first)
    rows = world.rows()
    second = world.begin(item, {"type": "item_reference", "id": item["id"]})
    assert world.items(second) == [item]
    assert world.rows() == rows


def test_the_stored_item_wins_over_what_is_sent(world: World) -> None:
    (item,) = world.items(world.begin(user("a")))
    conversation = world.begin()
    (added,) = world.add(conversation, item | {"content": "something else"})
    assert added == item
    assert world.items(conversation) == [item]


def test_all_or_nothing(world: World) -> None:
    (item,) = world.items(conversation := world.begin(user("a")))
    rows = world.all_rows()
    with pytest.raises(ItemAlreadyInConversation):
        world.add(conversation, user("b"), item)
    with pytest.raises(NotFound):
        world.add(conversation, user("b"), {"type": "item_reference", "id": "msg_none"})
    with pytest.raises(DuplicateItem):
        world.add(conversation, user("b", id="msg_1"), user("c", id="msg_1"))
    with pytest.raises(ObjectNotFound, match="Conversation"):
        world.add("conv_none", user("b"))
    assert world.all_rows() == rows
    assert texts(world, conversation) == ["a"]


def test_metadata(world: World) -> None:
    conversation = world.begin()

    def update(body: bytes) -> JSON:
        request: UpdateConversation = bodies.BodyDecoder(UpdateConversation).decode(body)
        return wire(world.run(world.conversations.update(ME, conversation, request)))

    assert update(b'{"metadata": {"a": "b"}}')["metadata"] == {"a": "b"}
    assert update(b'{"metadata": null}')["metadata"] == {}
    with pytest.raises(InvalidRequest, match="Missing required parameter: 'metadata'"):
        update(b"{}")
    with pytest.raises(InvalidRequest):
        update(msgspec.json.encode({"metadata": {"k" * 65: ""}}))


def test_another_owner_finds_nothing(world: World) -> None:
    conversation = world.begin(user("a"))
    (item,) = world.items(conversation)
    use = world.conversations
    for attempt in (
        lambda: use.get("other", conversation),
        lambda: use.delete("other", conversation),
        lambda: use.get_item("other", conversation, item["id"]),
        lambda: use.delete_item("other", conversation, item["id"]),
    ):
        with pytest.raises(ObjectNotFound, match="Conversation"):
            world.run(attempt())
    assert world.items(conversation) == [item]


def test_a_turn_is_appended_whole(world: World) -> None:
    world.model.script(say("Wait.", finish=None) + call_function("call_1"), say("Done."))
    conversation = world.begin()
    first = world.respond("go", conversation=conversation, tools=[{"type": "function", "name": "f"}])
    output = {"type": "function_call_output", "call_id": "call_1", "output": "out"}
    second = world.respond([output], conversation=conversation)
    expected = [
        *world.input_items(first["id"]),
        *first["output"],
        *world.input_items(second["id"]),
        *second["output"],
    ]
    assert world.items(conversation) == expected
    assert [item["type"] for item in expected] == [
        "message",
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]


def test_a_run_that_nobody_reads_releases_its_conversation(world: World) -> None:
    conversation = world.begin()
    body = {"model": "up/m", "input": "one", "conversation": conversation}
    request = bodies.create_response.decode(msgspec.json.encode(body))

    async def scenario() -> None:
        async with await world.responses.create(RequestContext(owner=ME), request):
            with pytest.raises(ConversationLocked):
                await world.prepare(input="two", conversation=conversation)
        with pytest.raises(ZeroDivisionError):
            async with await world.responses.create(RequestContext(owner=ME), request):
                raise ZeroDivisionError
        await world.prepare(input="three", conversation=conversation)

    world.run(scenario())
    assert world.items(conversation) == []


def test_one_response_at_a_time(world: World) -> None:
    conversation = world.begin()
    world.model.hang = True

    async def scenario() -> None:
        first = await world.prepare(input="one", conversation=conversation)
        with pytest.raises(ConversationLocked):
            await world.prepare(input="two", conversation=conversation)
        events = first.events()
        await anext(events)
        with pytest.raises(ConversationLocked):
            await world.prepare(input="two", conversation=conversation)
        # A request that stores nothing needs no lock.
        await world.prepare(input="two", conversation=conversation, store=False)
        await events.aclose()
        await world.prepare(input="three", conversation=conversation)

    world.run(scenario())
    assert world.items(conversation) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": [{"type": "item_reference", "id": "msg_none"}]},
        {"input": [{"type": "function_call_output", "call_id": "call_1", "output": ""}]},
        {"input": [user("a", id="msg_1"), user("b", id="msg_1")]},
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}], "input": "a"},
    ],
)
def test_what_is_refused_holds_no_lock(world: World, wrong: JSON) -> None:
    conversation = world.begin()
    with pytest.raises((InvalidRequest, NotFound)):
        world.respond(**wrong, conversation=conversation)
    world.respond("fine", conversation=conversation)
    assert texts(world, conversation) == ["fine", "Fine."]


def test_what_fails_appends_nothing_and_holds_no_lock(world: World) -> None:
    world.model.script(UpstreamBroken("cut"), say("Fine."))
    conversation = world.begin()
    with pytest.raises(UpstreamBroken):
        world.respond("one", conversation=conversation)
    world.respond("two", conversation=conversation)
    assert texts(world, conversation) == ["two", "Fine."]


@pytest.mark.parametrize("left", [False, True])
def test_what_cannot_begin_holds_no_lock(world: World, left: bool) -> None:
    """Two requests have the same new id at the same time: the second one fails and releases its lock."""
    conversation = world.begin()

    async def scenario() -> None:
        first = await world.prepare(input=[user("a", id="msg_1")])
        second = await world.prepare(input=[user("b", id="msg_1")], conversation=conversation)
        await first.response()
        if left:
            world.model.hang = True
            task = asyncio.create_task(second.response())
            world.model.called.clear()
            await world.model.called.wait()
            await world.store.servers.heartbeat()
            task.cancel()
            await asyncio.wait([task])
            world.model.hang = False
        else:
            with pytest.raises(DuplicateItem):
                await second.response()
        await world.store.servers.heartbeat()
        third = await world.prepare(input="c", conversation=conversation)
        await third.response()

    world.run(scenario())
    assert texts(world, conversation) == ["c", "Fine."]


def test_a_branch_does_not_see_what_came_later(world: World) -> None:
    world.model.script(say("One."), say("Branch."))
    conversation = world.begin(user("zero"))
    first = world.respond("one", conversation=conversation)
    world.add(conversation, user("later"))
    branch = world.respond("two", previous_response_id=first["id"])
    assert world.seen() == ["zero", "one", "One.", "two"]
    assert "conversation" not in branch
    assert texts(world, conversation) == ["zero", "one", "One.", "later"]
