"""`configuration_update` items in responses, chains, conversations and compactions."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.bad_bodies import USER, ask
from tests.server.client import get, post
from tests.server.faults import TEXT
from tests.server.refusals import Bad, check
from tests.support.upstream import Upstream, completion, reply

FORMAT: JSONObject = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
HIGH: JSONObject = {"type": "configuration_update", "reasoning": {"effort": "high"}}
JSON_TEXT: JSONObject = {"type": "configuration_update", "text": {"format": FORMAT}}
CHAT_FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


def asked(url: str, upstream: Upstream, **more: JSON) -> JSONObject:
    upstream.script(TEXT)
    answer = post(url, "/responses", ask(**more))
    assert answer.status == 200, answer.body
    response: JSONObject = answer.json
    return response


def test_an_update_applies_to_the_response_which_shows_its_own_setting(url: str, upstream: Upstream) -> None:
    response = asked(url, upstream, input=[HIGH, USER], reasoning={"effort": "low"})
    chat = upstream.chats[0].json
    assert chat["reasoning_effort"] == "high"
    assert chat["messages"] == [{"role": "user", "content": "Hi"}]
    assert response["reasoning"]["effort"] == "low"


def test_updates_stay_in_effect_in_a_chain_until_others_replace_them(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream, input=[HIGH, JSON_TEXT, USER])
    second = asked(url, upstream, previous_response_id=first["id"])
    low = HIGH | {"reasoning": {"effort": "low"}}
    asked(url, upstream, input=[low, USER], previous_response_id=second["id"])
    efforts = [chat.json["reasoning_effort"] for chat in upstream.chats]
    assert efforts == ["high", "high", "low"]
    assert [chat.json["response_format"] for chat in upstream.chats] == [CHAT_FORMAT] * 3
    items = get(url, f"/responses/{first['id']}/input_items?order=asc").json["data"]
    assert [item["type"] for item in items] == ["configuration_update", "configuration_update", "message"]
    assert items[0] == HIGH | {"id": items[0]["id"]}
    assert items[0]["id"].startswith("cfg_")


def test_an_update_in_a_conversation_applies_to_its_responses(url: str, upstream: Upstream) -> None:
    conversation = post(url, "/conversations", {"items": [HIGH]}).json["id"]
    asked(url, upstream, conversation=conversation)
    post(url, f"/conversations/{conversation}/items", {"items": [JSON_TEXT]})
    asked(url, upstream, conversation=conversation)
    one, two = (chat.json for chat in upstream.chats)
    assert (one["reasoning_effort"], "response_format" in one) == ("high", False)
    assert (two["reasoning_effort"], two["response_format"]) == ("high", CHAT_FORMAT)
    items = get(url, f"/conversations/{conversation}/items?order=asc").json["data"]
    assert [item["type"] for item in items].count("configuration_update") == 2


@pytest.mark.parametrize("trigger", [True, False])
def test_an_update_survives_a_compaction_and_does_not_apply_to_the_summary(
    url: str, upstream: Upstream, trigger: bool
) -> None:
    given: list[JSON] = [HIGH, JSON_TEXT, USER]
    upstream.script(reply(completion("A summary.")))
    if trigger:
        answer = post(url, "/responses", ask(input=[*given, {"type": "compaction_trigger", "id": "ct_1"}]))
    else:
        answer = post(url, "/responses/compact", ask(input=given))
    assert answer.status == 200, answer.body
    summarizing = upstream.chats[0].json
    assert not {"reasoning_effort", "response_format"} & summarizing.keys()
    asked(url, upstream, input=[*answer.json["output"], USER])
    if trigger:
        asked(url, upstream, previous_response_id=answer.json["id"])
    for chat in upstream.chats[1:]:
        assert (chat.json["reasoning_effort"], chat.json["response_format"]) == ("high", CHAT_FORMAT)


def test_an_update_counts_as_the_tokens_of_its_format(url: str) -> None:
    def counted(*items: JSON) -> int:
        answer = post(url, "/responses/input_tokens", ask(input=[*items, USER]))
        tokens: int = answer.json["input_tokens"]
        return tokens

    assert counted() == counted(HIGH) < counted(JSON_TEXT)


@pytest.mark.parametrize(
    ("item", "bad"),
    [
        ({}, Bad(None, "input[0].reasoning", "missing_required_parameter")),
        ({"reasoning": None, "text": None}, Bad(None, "input[0].reasoning", "missing_required_parameter")),
        ({"reasoning": {"effort": "zzz"}}, Bad(None, "input[0].reasoning.effort", "invalid_value")),
        ({"text": {}}, Bad(None, "input[0].text.format", "missing_required_parameter")),
        (
            {"text": {"format": {"type": "json_object"}}},
            Bad(None, "input[0].text.format.type", "invalid_value"),
        ),
    ],
)
def test_a_wrong_update_is_refused(url: str, item: JSONObject, bad: Bad) -> None:
    check(post(url, "/responses", ask(input=[{"type": "configuration_update"} | item, USER])), bad)
