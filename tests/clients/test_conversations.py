"""All eight operations of the Conversations API, through OpenAI's SDK."""

import json
import re
from typing import TypeVar

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.responses import ResponseIncludable
from pydantic import BaseModel

from antiphon.wire.items import ITEM_PREFIXES
from antiphon.wire.json import JSON, JSONObject
from tests.clients.kinds import KINDS
from tests.support.serving import Serving

A: JSON = {"role": "user", "content": "a"}
B: JSON = {"role": "user", "content": "b"}
C: JSON = {"role": "user", "content": "c"}

M = TypeVar("M", bound=BaseModel)

HIDDEN: list[ResponseIncludable] = [
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "file_search_call.results",
    "reasoning.encrypted_content",
]
"""Fields that items have but that responses omit unless `include` names them."""


def plain(model: BaseModel) -> JSONObject:
    """Return the JSON that was on the wire."""
    return model.model_dump(exclude_unset=True)


def begin(client: OpenAI, *items: JSON) -> str:
    return client.conversations.create(items=items).id


def listed(client: OpenAI, conversation: str) -> list[str]:
    """Return the ids of a conversation's items, oldest first."""
    return [str(item.id) for item in client.conversations.items.list(conversation, order="asc")]


def texts(client: OpenAI, conversation: str) -> list[str]:
    items: JSON = client.conversations.items.list(conversation, order="asc")
    return [item.content[0].text for item in items]


def test_create_without_anything(client: OpenAI) -> None:
    conversation = client.conversations.create()
    assert re.fullmatch(r"conv_[0-9a-f]{48}", conversation.id)
    assert conversation.object == "conversation"
    assert conversation.metadata == {}
    assert isinstance(conversation.created_at, int)
    assert plain(client.conversations.retrieve(conversation.id)) == plain(conversation)


def test_create_with_metadata_and_items(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"topic": "x"}, items=[A, B])
    assert conversation.metadata == {"topic": "x"}
    assert "items" not in plain(conversation)
    assert texts(client, conversation.id) == ["a", "b"]


def test_update_replaces_the_metadata(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"a": "1", "b": "2"})
    updated = client.conversations.update(conversation.id, metadata={"c": "3"})
    assert updated.metadata == {"c": "3"}
    assert plain(client.conversations.retrieve(conversation.id)) == plain(updated)
    assert client.conversations.update(conversation.id, metadata=None).metadata == {}


def test_update_needs_metadata(client: OpenAI) -> None:
    conversation = client.conversations.create()
    with pytest.raises(BadRequestError) as caught:
        client.post(f"/conversations/{conversation.id}", body={}, cast_to=object)
    assert (caught.value.code, caught.value.param) == ("missing_required_parameter", "metadata")


def test_delete_removes_the_items_that_nothing_else_needs(client: OpenAI) -> None:
    conversation = begin(client, A)
    (item,) = listed(client, conversation)
    deleted = client.conversations.delete(conversation)
    assert plain(deleted) == {"id": conversation, "object": "conversation.deleted", "deleted": True}
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(conversation)
    again: JSON = [{"type": "item_reference", "id": item}]
    with pytest.raises(NotFoundError, match=item):
        begin(client, *again)


def test_what_is_unknown_is_not_found(client: OpenAI) -> None:
    conversations, items = client.conversations, client.conversations.items
    for ask in (
        lambda: conversations.retrieve("conv_none"),
        lambda: conversations.update("conv_none", metadata={}),
        lambda: conversations.delete("conv_none"),
        lambda: items.list("conv_none"),
        lambda: items.create("conv_none", items=[A]),
        lambda: items.retrieve("msg_none", conversation_id="conv_none"),
        lambda: items.delete("msg_none", conversation_id="conv_none"),
    ):
        with pytest.raises(NotFoundError, match="Conversation with id 'conv_none' not found"):
            ask()
    with pytest.raises(BadRequestError, match="Expected an ID that begins with 'conv'") as refused:
        conversations.retrieve("thread_1")
    assert (refused.value.param, refused.value.code) == ("conversation_id", "invalid_value")
    conversation = begin(client)
    for lookup in (items.retrieve, items.delete):
        with pytest.raises(NotFoundError, match="msg_none"):
            lookup("msg_none", conversation_id=conversation)


@pytest.mark.parametrize("name", KINDS)
def test_an_item_of_every_kind_comes_back_as_it_was_put_in(client: OpenAI, name: str) -> None:
    given: JSON = KINDS[name]
    conversation = begin(client)
    (added,) = client.conversations.items.create(conversation, items=[given], include=HIDDEN).data
    out = plain(added)
    assert {key: out[key] for key in given} == given
    assert set(out) - set(given) <= {"id", "status"}
    assert re.fullmatch(ITEM_PREFIXES[given["type"]] + "_[0-9a-f]{48}", out["id"])
    items = client.conversations.items
    assert plain(items.retrieve(out["id"], conversation_id=conversation, include=HIDDEN)) == out
    assert [plain(item) for item in items.list(conversation, include=HIDDEN)] == [out]


@pytest.mark.parametrize(
    "kind", ["shell_call", "shell_call_output", "tool_search_call", "tool_search_output"]
)
def test_optional_keys_of_items_may_be_absent(client: OpenAI, kind: str) -> None:
    """The validation at the end of the module checks the keys that these kinds always have."""
    optional = {"environment", "max_output_length", "execution", "call_id"}
    kept = {"call_id"} if kind.startswith("shell") else set()
    given = {key: value for key, value in KINDS[kind].items() if key not in optional - kept}
    conversation = begin(client, given)
    (item,) = client.conversations.items.list(conversation)
    assert plain(item)["status"] == "completed"


@pytest.mark.parametrize("name", KINDS)
def test_null_is_as_good_as_absent(client: OpenAI, name: str) -> None:
    """Clients that dump their objects send null for absent fields."""
    nulls = dict.fromkeys(["id", "status", "phase", "caller", "namespace", "encrypted_content", "content"])
    given = {key: value for key, value in nulls.items() if key not in KINDS[name]} | KINDS[name]
    (item,) = client.conversations.items.list(begin(client, given), include=HIDDEN)
    out = plain(item)
    assert {key: out[key] for key in KINDS[name]} == KINDS[name]
    assert set(out) - set(KINDS[name]) <= {"id", "status"}


def test_strings_become_parts(client: OpenAI) -> None:
    conversation = begin(client)
    items: JSON = [A, {"role": "assistant", "content": "said"}, {"role": "developer", "content": "do"}]
    page = client.conversations.items.create(conversation, items=items)
    user, assistant, developer = [plain(item) for item in page.data]
    assert user["content"] == [{"type": "input_text", "text": "a"}]
    assert assistant["content"] == [
        {"type": "output_text", "text": "said", "annotations": [], "logprobs": []}
    ]
    assert developer["content"] == [{"type": "input_text", "text": "do"}]
    assert {item["status"] for item in (user, assistant, developer)} == {"completed"}


def test_creating_items_answers_with_these_alone(client: OpenAI) -> None:
    conversation = begin(client, A)
    page = client.conversations.items.create(conversation, items=[B, C])
    assert [plain(item)["content"][0]["text"] for item in page.data] == ["b", "c"]
    assert (page.first_id, page.last_id) == (page.data[0].id, page.data[1].id)
    assert page.has_more is False
    assert texts(client, conversation) == ["a", "b", "c"]


def test_at_most_twenty_items_at_once(client: OpenAI) -> None:
    items: JSON = [{"role": "user", "content": str(number)} for number in range(21)]
    conversation = begin(client, *items[:20])
    assert len(listed(client, conversation)) == 20
    for refused in (
        lambda: client.conversations.create(items=items),
        lambda: client.conversations.items.create(conversation, items=items),
    ):
        with pytest.raises(BadRequestError) as caught:
            refused()
        assert (caught.value.code, caught.value.param) == ("array_above_max_length", "items")
    assert len(listed(client, conversation)) == 20


def test_pages_latest_first(client: OpenAI) -> None:
    items: JSON = [{"role": "user", "content": str(number)} for number in range(5)]
    conversation = begin(client, *items)
    ids = listed(client, conversation)
    page = client.conversations.items.list(conversation, limit=2)
    assert [item.id for item in page.data] == [ids[4], ids[3]]
    raw = client.conversations.items.with_raw_response.list(conversation, limit=2)
    body = json.loads(raw.text)
    assert (body["first_id"], body["last_id"], body["has_more"]) == (ids[4], ids[3], True)
    page = page.get_next_page()
    assert [item.id for item in page.data] == [ids[2], ids[1]]
    assert [item.id for item in client.conversations.items.list(conversation, limit=2)] == ids[::-1]
    ascending = client.conversations.items.list(conversation, limit=2, order="asc", after=ids[0])
    assert [item.id for item in ascending.data] == ids[1:3]


def test_an_empty_page_has_no_ends(client: OpenAI) -> None:
    raw = client.conversations.items.with_raw_response.list(begin(client))
    assert json.loads(raw.text) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_deleting_an_item_answers_with_the_conversation(client: OpenAI) -> None:
    conversation = begin(client, A, B)
    first, second = listed(client, conversation)
    answer = client.conversations.items.delete(first, conversation_id=conversation)
    assert plain(answer) == plain(client.conversations.retrieve(conversation))
    assert listed(client, conversation) == [second]
    with pytest.raises(NotFoundError):
        client.conversations.items.retrieve(first, conversation_id=conversation)
    with pytest.raises(NotFoundError, match=f"No item found with id '{first}'") as caught:
        client.conversations.items.list(conversation, after=first)
    assert caught.value.param == "after"


def test_an_unknown_cursor_is_not_found(client: OpenAI) -> None:
    conversation = begin(client, A)
    other = listed(client, begin(client, A))[0]
    for cursor in ("msg_none", other):
        with pytest.raises(NotFoundError) as caught:
            client.conversations.items.list(conversation, after=cursor)
        assert caught.value.param == "after"


def test_the_id_of_a_stored_item_stands_for_it(client: OpenAI) -> None:
    first = begin(client, A)
    (item,) = listed(client, first)
    sent: JSON = {"type": "message", "id": item, "role": "user", "content": "something else"}
    second = begin(client)
    (added,) = client.conversations.items.create(second, items=[sent]).data
    assert added.id == item
    assert texts(client, second) == ["a"]
    twice = begin(client, sent, sent)
    assert listed(client, twice) == [item]


def test_an_item_is_in_a_conversation_once(client: OpenAI) -> None:
    conversation = begin(client, A)
    (item,) = listed(client, conversation)
    sent: JSON = {"type": "message", "id": item, "role": "user", "content": "a"}
    with pytest.raises(BadRequestError, match="Item already in conversation") as caught:
        client.conversations.items.create(conversation, items=[B, sent])
    assert (caught.value.code, caught.value.param) == ("item_already_in_conversation", "items")
    assert listed(client, conversation) == [item]


def test_ids_must_fit_their_type(client: OpenAI) -> None:
    wrong: JSON = {"type": "message", "id": "fc_1", "role": "user", "content": "a"}
    with pytest.raises(BadRequestError, match="Expected an ID that begins with 'msg'") as caught:
        client.conversations.create(items=[A, wrong])
    assert (caught.value.code, caught.value.param) == ("invalid_value", "items[1].id")


def test_nothing_is_kept_of_what_was_refused(client: OpenAI, server: Serving) -> None:
    reference: JSON = {"type": "item_reference", "id": "msg_none"}
    conversation = begin(client)
    with pytest.raises(NotFoundError, match="Item with id 'msg_none' not found"):
        client.conversations.items.create(conversation, items=[A, reference])
    assert listed(client, conversation) == []
