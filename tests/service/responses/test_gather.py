"""The model's input: histories, references, and items that the client sends back."""

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, NotFound
from antiphon.store.errors import DuplicateItem, ItemNotFound, PreviousResponseNotFound
from antiphon.wire.json import JSON, JSONObject
from tests.service.world import ME, World, call_function, say, user


def reference(item: JSONObject) -> JSONObject:
    return {"type": "item_reference", "id": item["id"]}


def test_a_chain_is_seen_oldest_first(world: World) -> None:
    world.model.script(say("One."), say("Two."), say("Three."))
    previous: JSON = None
    for word in ("one", "two", "three"):
        previous = world.respond(word, previous_response_id=previous)["id"]
    assert world.seen() == ["one", "One.", "two", "Two.", "three"]


def test_a_chain_branches(world: World) -> None:
    world.model.script(say("Root."), say("Left."), say("Right."), say("Again."))
    root = world.respond("root")["id"]
    left = world.respond("left", previous_response_id=root)["id"]
    world.respond("right", previous_response_id=root)
    assert world.seen() == ["root", "Root.", "right"]
    world.respond("again", previous_response_id=left)
    assert world.seen() == ["root", "Root.", "left", "Left.", "again"]


def test_instructions_are_not_carried_over(world: World) -> None:
    first = world.respond("one", instructions="Be brief.")["id"]
    response = world.respond("two", previous_response_id=first)
    assert response["instructions"] is None
    assert world.seen() == ["one", "Fine.", "two"]


def test_calls_go_on_after_their_outputs(world: World) -> None:
    world.model.script(call_function("call_1"), say("Done."))
    first = world.respond("go", tools=[{"type": "function", "name": "f"}])
    output = {"type": "function_call_output", "call_id": "call_1", "output": "out"}
    world.respond([output], previous_response_id=first["id"])
    assert world.seen() == ["go", "", "out"]
    with pytest.raises(InvalidRequest, match="No tool output found for function call call_1"):
        world.respond("no output", previous_response_id=first["id"])


def test_a_previous_response_can_stand_alone(world: World) -> None:
    first = world.respond("one")["id"]
    world.respond(previous_response_id=first)
    assert world.seen() == ["one", "Fine."]
    world.respond([], previous_response_id=first)
    assert world.seen() == ["one", "Fine."]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_ancestor_is_named(world: World, missing: int) -> None:
    first = world.respond("one")["id"]
    second = world.respond("two", previous_response_id=first)["id"]
    world.run(world.responses.delete(ME, [first, second][missing]))
    with pytest.raises(PreviousResponseNotFound) as caught:
        world.respond("three", previous_response_id=second)
    assert caught.value.response_id == [first, second][missing]
    assert (caught.value.code, caught.value.param) == (
        "previous_response_not_found",
        "previous_response_id",
    )


def test_a_response_in_progress_cannot_be_continued(world: World) -> None:
    world.model.hang = True

    async def scenario() -> None:
        run = await world.prepare(input="one")
        events = run.events()
        await anext(events)
        await world.store.servers.heartbeat()  # The beginning is committed with the heartbeat, or before it.
        with pytest.raises(InvalidRequest, match="is still in_progress") as caught:
            await world.prepare(input="two", previous_response_id=run.loop.response.id)
        assert caught.value.param == "previous_response_id"
        await events.aclose()

    world.run(scenario())


def test_references_stand_for_stored_items(world: World) -> None:
    world.model.script(say("One."))
    first = world.respond("one")
    (question,) = world.input_items(first["id"])
    before = world.rows()
    again = world.respond([reference(question), reference(first["output"][0]), user("two")])
    assert world.seen() == ["one", "One.", "two"]
    assert [item["id"] for item in world.input_items(again["id"])][:2] == [
        question["id"],
        first["output"][0]["id"],
    ]
    assert world.rows() == before + 2


def test_a_reference_to_nothing(world: World) -> None:
    with pytest.raises(ItemNotFound) as caught:
        world.respond([{"type": "item_reference", "id": "msg_none"}])
    assert (caught.value.status, caught.value.param) == (404, "input")


def test_items_sent_back_unchanged_are_stored_once(world: World) -> None:
    reasoned = say(finish=None, reasoning_content="Hm.") + call_function("call_1")
    world.model.script(reasoned, say("Done."))
    first = world.respond("go", tools=[{"type": "function", "name": "f"}])
    history = [*world.input_items(first["id"]), *first["output"]]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "out"}
    before = world.rows()
    second = world.respond([*history, output])
    assert world.rows() == before + 2
    assert [item["id"] for item in world.input_items(second["id"])][:-1] == [item["id"] for item in history]


@pytest.mark.parametrize("nulls", [{"status": None}, {"status": None, "phase": None}, {"phase": None}])
def test_nulls_of_a_dumped_object_change_nothing(world: World, nulls: JSONObject) -> None:
    answer = world.respond("one")["output"][0]
    before = world.rows()
    again = world.respond([answer | nulls, user("two")])
    assert world.input_items(again["id"])[0]["id"] == answer["id"]
    assert world.rows() == before + 2


def test_a_changed_item_gets_an_id_of_its_own(world: World) -> None:
    first = world.respond("one")
    answer = first["output"][0]
    edited = answer | {"content": [{"type": "output_text", "text": "Edited.", "annotations": []}]}
    second = world.respond([user("one"), edited, user("two")])
    assert world.seen() == ["one", "Edited.", "two"]
    kept = world.input_items(second["id"])[1]
    assert kept["id"] != answer["id"]
    assert kept["id"].startswith("msg_")
    assert kept["content"][0]["text"] == "Edited."
    assert world.get(first["id"])["output"] == [answer]


def test_ids_of_the_clients_own_making_stay(world: World) -> None:
    response = world.respond([user("one", id="msg_mine")])
    assert world.input_items(response["id"])[0]["id"] == "msg_mine"


def test_duplicate_ids_are_refused(world: World) -> None:
    with pytest.raises(DuplicateItem, match="Duplicate item found with id msg_1"):
        world.respond([user("one", id="msg_1"), user("two", id="msg_1")])
    first = world.respond("one")
    with pytest.raises(DuplicateItem) as caught:
        world.respond([first["output"][0]], previous_response_id=first["id"])
    assert caught.value.param == "input"
    assert world.model.requests[1:] == []


def test_a_conversation_is_seen_before_the_input(world: World) -> None:
    conversation = world.begin(user("zero"))
    world.respond("one", conversation=conversation)
    assert world.seen() == ["zero", "one"]
    world.respond("two", conversation={"id": conversation})
    assert world.seen() == ["zero", "one", "Fine.", "two"]


def test_other_owners_see_nothing(world: World) -> None:
    first = world.respond("one")
    conversation = world.begin()

    async def scenario() -> None:
        for continued in (
            {"previous_response_id": first["id"], "input": "two"},
            {"conversation": conversation, "input": "two"},
            {"input": [reference(first["output"][0])]},
        ):
            body = msgspec.json.encode({"model": "up/m", **continued})
            with pytest.raises((InvalidRequest, NotFound), match="not found"):
                await world.responses.create(
                    RequestContext(owner="somebody"), bodies.create_response.decode(body)
                )

    world.run(scenario())


OUTPUT: JSONObject = {"type": "function_call_output", "call_id": "call_1", "output": "out"}
PARTS: JSONObject = OUTPUT | {"output": [{"type": "input_text", "text": "out"}]}


def answered(world: World, output: JSONObject = OUTPUT) -> str:
    """Create a response that answers a call with an output, and return its id."""
    world.model.script(call_function("call_1"), say("Done."))
    first = world.respond("go", tools=[{"type": "function", "name": "f"}])
    answer: str = world.respond([output], previous_response_id=first["id"])["id"]
    return answer


@pytest.mark.parametrize("output", [OUTPUT, PARTS])
def test_an_output_that_repeats_a_stored_one_is_dropped(world: World, output: JSONObject) -> None:
    second = answered(world, output)
    third = world.respond([output, user("And now?")], previous_response_id=second)
    assert world.seen()[2:] == [output["output"] if output is OUTPUT else "out", "Done.", "And now?"]
    assert [item["type"] for item in world.input_items(third["id"])][-1:] == ["message"]
    fourth = world.respond([output], previous_response_id=third["id"])
    assert world.seen()[-1] == "Done."
    assert fourth["status"] == "completed"


def test_a_repeated_output_with_the_id_of_the_stored_one_is_dropped(world: World) -> None:
    second = answered(world)
    (stored,) = [item for item in world.input_items(second) if item["type"] == "function_call_output"]
    world.respond([stored, user("And now?")], previous_response_id=second)
    assert world.seen()[2:] == ["out", "Done.", "And now?"]


def test_a_repeated_output_in_a_conversation_is_dropped(world: World) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    conversation = world.begin(user("go"), call, OUTPUT)
    world.respond([OUTPUT, user("And now?")], conversation=conversation)
    assert world.seen() == ["go", "", "out", "And now?"]
    kinds = [item["type"] for item in world.items(conversation)]
    assert kinds.count("function_call_output") == 1


@pytest.mark.parametrize("other", [{"output": "other"}, {"output": []}, {"type": "custom_tool_call_output"}])
def test_another_output_for_an_answered_call_is_refused(world: World, other: JSONObject) -> None:
    second = answered(world)
    with pytest.raises(InvalidRequest, match="Duplicate tool output found for function call call_1"):
        world.respond([OUTPUT | other], previous_response_id=second)


def test_an_equal_output_of_a_new_call_with_the_same_id_is_kept(world: World) -> None:
    second = answered(world)
    world.model.script(call_function("call_1"), say("Done again."))
    third = world.respond("again", previous_response_id=second, tools=[{"type": "function", "name": "f"}])
    world.respond([OUTPUT], previous_response_id=third["id"])
    assert world.seen() == ["go", "", "out", "Done.", "again", "", "out"]


def test_an_output_that_occurs_twice_in_a_request_is_refused(world: World) -> None:
    world.model.script(call_function("call_1"))
    first = world.respond("go", tools=[{"type": "function", "name": "f"}])
    with pytest.raises(InvalidRequest, match="Duplicate tool output"):
        world.respond([OUTPUT, OUTPUT | {"output": "other"}], previous_response_id=first["id"])
