"""Items in normalized form."""

import re

import msgspec
import pytest

from antiphon.ids import SHORT, new_id
from antiphon.service.items import decode_item, encode_item, item_kind, message_of, new_item, normal_form
from antiphon.wire.items import ITEM_PREFIXES, Item
from antiphon.wire.json import JSON, JSONObject
from tests.clients.kinds import KINDS
from tests.service.world import wire


def item(value: JSON) -> Item:
    found: Item = msgspec.convert(value, Item)
    return found


def normal(value: JSON) -> JSONObject:
    form: JSONObject = wire(normal_form(item(value), new_id))
    return form


@pytest.mark.parametrize("name", KINDS)
def test_the_normal_form_keeps_everything_and_is_its_own(name: str) -> None:
    form = normal_form(item(KINDS[name]), new_id)
    assert {key: wire(form)[key] for key in KINDS[name]} == KINDS[name]
    assert re.fullmatch(ITEM_PREFIXES[item_kind(form)] + "_[0-9a-f]{50}", str(form.id))
    assert normal_form(form, new_id) == form
    assert decode_item(encode_item(form)) == form


def test_ids_of_conversations_are_shorter() -> None:
    assert re.fullmatch("msg_[0-9a-f]{48}", str(normal_form(item(KINDS["user"]), new_id, SHORT).id))


def test_a_given_id_and_status_stay() -> None:
    given = KINDS["function_call"] | {"id": "fc_mine", "status": "incomplete"}
    assert normal(given) == given


@pytest.mark.parametrize("absent", [{}, {"status": None, "phase": None, "id": None}])
def test_messages_get_parts_and_a_status(absent: JSONObject) -> None:
    form = normal({"type": "message", "role": "developer", "content": "Be."} | absent)
    assert form["content"] == [{"type": "input_text", "text": "Be."}]
    assert form["status"] == "completed"
    assert "phase" not in form


def test_what_the_assistant_said_is_output() -> None:
    form = normal({"type": "message", "role": "assistant", "content": "Yes.", "phase": "final_answer"})
    assert form["content"] == [{"type": "output_text", "text": "Yes.", "annotations": [], "logprobs": []}]
    assert form["phase"] == "final_answer"


def test_parts_get_what_they_always_have() -> None:
    parts: JSON = [{"type": "output_text", "text": "a"}, {"type": "input_image", "image_url": "http://a"}]
    text, image = normal({"type": "message", "role": "assistant", "content": parts})["content"]
    assert (text["annotations"], text["logprobs"]) == ([], [])
    assert image["detail"] == "auto"


def test_reasoning_has_no_status_and_no_nulls() -> None:
    nulls: JSONObject = {"content": None, "encrypted_content": None, "status": None}
    form = normal({"type": "reasoning", "summary": []} | nulls)
    assert set(form) == {"type", "id", "summary"}


def test_a_string_is_a_user_message() -> None:
    message = wire(message_of("Hi", new_id))
    assert message["role"] == "user"
    assert message["content"] == [{"type": "input_text", "text": "Hi"}]
    assert normal(message) == message


def test_an_item_for_the_store() -> None:
    form = normal_form(item(KINDS["reasoning"]), new_id)
    row = new_item(form)
    assert (row.id, row.kind) == (form.id, "reasoning")
    assert msgspec.json.decode(row.body) == wire(form)
