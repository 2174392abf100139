"""The SDK's calls for stored responses, their input items, and the models."""

import json

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from antiphon.wire.json import JSON
from tests.clients.replies import says
from tests.store.samples import count_rows
from tests.support.serving import Serving
from tests.support.upstream import Upstream

WORDS = ["one", "two", "three", "four", "five"]
FIVE: JSON = [{"role": "user", "content": word} for word in WORDS]


@pytest.fixture
def client(client: OpenAI, upstream: Upstream) -> OpenAI:
    upstream.script(says("Fine."))
    return client


def texts(items: JSON) -> list[str]:
    return [item.content[0].text for item in items]


def test_retrieve_gives_what_create_gave(client: OpenAI) -> None:
    created = client.responses.create(model="up/m", input="Hi", tools=[], metadata={"key": "value"})
    assert client.responses.retrieve(created.id).to_dict() == created.to_dict()


def test_delete_answers_and_forgets(client: OpenAI) -> None:
    created = client.responses.create(model="up/m", input="Hi")
    raw = client.responses.with_raw_response.delete(created.id)
    assert json.loads(raw.text) == {"id": created.id, "object": "response", "deleted": True}
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(NotFoundError, match=f"Response with id '{created.id}' not found."):
            gone(created.id)


def test_a_follow_up_of_a_deleted_response_names_it(client: OpenAI) -> None:
    first = client.responses.create(model="up/m", input="Hi")
    second = client.responses.create(model="up/m", input="More", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="up/m", input="Still?", previous_response_id=second.id)
    assert caught.value.code == "previous_response_not_found"
    assert caught.value.param == "previous_response_id"


def test_store_false_leaves_no_row(client: OpenAI, server: Serving) -> None:
    url = f"sqlite:///{server.store.location}"
    before = count_rows(url)
    response = client.responses.create(model="up/m", input="Hi", store=False)
    assert response.to_dict()["store"] is False
    assert response.output_text == "Fine."
    assert count_rows(url) == before
    with pytest.raises(NotFoundError):
        client.responses.retrieve(response.id)


def test_input_items_come_latest_first(client: OpenAI) -> None:
    response = client.responses.create(model="up/m", input=FIVE)
    page = client.responses.input_items.list(response.id)
    assert texts(page.data) == WORDS[::-1]
    assert page.has_more is False


def test_input_items_in_pages(client: OpenAI) -> None:
    response = client.responses.create(model="up/m", input=FIVE)
    page = client.responses.input_items.list(response.id, limit=2, order="asc")
    assert texts(page.data) == WORDS[:2]
    assert page.has_more is True
    after = page.data[-1].id
    assert after is not None
    page = client.responses.input_items.list(response.id, limit=2, order="asc", after=after)
    assert texts(page.data) == WORDS[2:4]
    page = page.get_next_page()
    assert texts(page.data) == WORDS[4:]
    assert not page.has_next_page()


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_iterating_reads_all_pages(client: OpenAI, order: JSON) -> None:
    response = client.responses.create(model="up/m", input=FIVE)
    found = list(client.responses.input_items.list(response.id, limit=2, order=order))
    assert texts(found) == (WORDS if order == "asc" else WORDS[::-1])


def test_the_input_items_are_those_of_one_turn(client: OpenAI) -> None:
    first = client.responses.create(model="up/m", input=FIVE)
    second = client.responses.create(model="up/m", input="six", previous_response_id=first.id)
    assert texts(client.responses.input_items.list(second.id)) == ["six"]


def test_a_page_of_input_items_has_its_ends(client: OpenAI) -> None:
    response = client.responses.create(model="up/m", input=FIVE)
    raw = client.responses.input_items.with_raw_response.list(response.id, limit=3)
    body = json.loads(raw.text)
    assert body["object"] == "list"
    assert body["first_id"] == body["data"][0]["id"]
    assert body["last_id"] == body["data"][2]["id"]
    assert body["has_more"] is True


@pytest.mark.parametrize(
    ("query", "param"),
    [({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"order": "up"}, "order")],
)
def test_impossible_pages_are_refused(client: OpenAI, query: JSON, param: str) -> None:
    response = client.responses.create(model="up/m", input="Hi")
    with pytest.raises(BadRequestError) as caught:
        client.responses.input_items.list(response.id, **query)
    assert caught.value.param == param


def test_an_unknown_cursor_is_not_found(client: OpenAI) -> None:
    response = client.responses.create(model="up/m", input="Hi")
    with pytest.raises(NotFoundError, match="No item found with id 'msg_nothing'") as caught:
        client.responses.input_items.list(response.id, after="msg_nothing")
    assert caught.value.param == "after"


def test_the_list_of_responses(client: OpenAI) -> None:
    """OpenAI has no such endpoint, but other self-hosted servers do."""
    made = [client.responses.create(model="up/m", input=word).id for word in WORDS[:3]]
    listed: JSON = client.get("/responses", cast_to=object, options={"params": {"limit": 2}})
    assert [each["id"] for each in listed["data"]] == [made[2], made[1]]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (made[2], made[1], True)
    rest: JSON = client.get("/responses", cast_to=object, options={"params": {"after": made[1]}})
    assert rest["data"][0]["id"] == made[0]


def test_items_by_reference(client: OpenAI, upstream: Upstream) -> None:
    first = client.responses.create(model="up/m", input="Remember 7.")
    (question,) = client.responses.input_items.list(first.id).data
    again: JSON = [
        {"type": "item_reference", "id": question.id},
        {"id": first.output[0].id},
        {"role": "user", "content": "What?"},
    ]
    client.responses.create(model="up/m", input=again)
    assert [message["content"] for message in upstream.chats[1].json["messages"]] == [
        "Remember 7.",
        "Fine.",
        "What?",
    ]


def test_a_reference_to_nothing_is_not_found(client: OpenAI) -> None:
    nothing: JSON = [{"type": "item_reference", "id": "msg_nothing"}]
    with pytest.raises(NotFoundError) as caught:
        client.responses.create(model="up/m", input=nothing)
    assert caught.value.param == "input"
    assert "Item with id 'msg_nothing' not found." in caught.value.message


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["up/m", "antiphon/sample"]
    assert client.models.retrieve("up/m").object == "model"
    assert client.models.retrieve("antiphon/sample").owned_by == "antiphon"
    with pytest.raises(NotFoundError) as caught:
        client.models.retrieve("up/none")
    assert caught.value.code == "model_not_found"
