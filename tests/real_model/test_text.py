"""Text, formats, counts and conversations of a real model; only forms are asserted, because texts vary."""

import json

import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel, Field

from antiphon.wire.json import JSON, JSONObject
from tests.real_model.asking import MODEL, ask


class Animal(BaseModel):
    name: str = Field(max_length=20)
    legs: int = Field(le=9)


SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "legs": {"type": "integer", "maximum": 9}},
    "required": ["name", "legs"],
    "additionalProperties": False,
}


def is_answered(response: Response) -> bool:
    """Return whether a response has text and usage, complete or cut at its limit of tokens."""
    usage = response.usage
    assert usage is not None
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
    if response.status == "incomplete":
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == "max_output_tokens"
    return response.status in ("completed", "incomplete") and response.error is None


def test_the_model_is_found_and_listed(client: OpenAI) -> None:
    models = {model.id: model.to_dict()["custom_metadata"] for model in client.models.list()}
    assert models[MODEL]["model_type"] == "llm"  # type: ignore[index]


def test_a_text_has_usage_and_the_models_name(client: OpenAI) -> None:
    response = ask(client)
    assert is_answered(response)
    assert response.model == MODEL
    assert response.output_text.strip()


def test_a_stream_adds_up_to_its_text(client: OpenAI) -> None:
    response = ask(client, stream=True)
    assert is_answered(response)
    assert response.output_text.strip()


def test_a_limit_of_tokens_leaves_the_response_incomplete(client: OpenAI) -> None:
    response = ask(client, "Write a long story about a dog.", tokens=16)
    assert response.status == "incomplete"
    assert is_answered(response)
    assert response.usage is not None
    assert response.usage.output_tokens == 16


def test_log_probabilities_have_the_requested_alternatives(client: OpenAI) -> None:
    response = ask(client, top_logprobs=3, include=["message.output_text.logprobs"])
    content: JSON = response.output[0].to_dict()["content"][0]  # type: ignore[index]
    assert response.usage is not None
    assert len(content["logprobs"]) > 1
    assert all(len(each["top_logprobs"]) == 3 and each["logprob"] <= 0 for each in content["logprobs"])


def test_instructions_and_messages_of_every_role_reach_the_model(client: OpenAI) -> None:
    roles: JSON = [{"role": role, "content": "Be brief."} for role in ("system", "developer", "user")]
    one, all_of_them = ask(client, "Be brief."), ask(client, roles, instructions="Be polite.")
    assert is_answered(all_of_them)
    assert one.usage is not None
    assert all_of_them.usage is not None
    assert all_of_them.usage.input_tokens > one.usage.input_tokens + 6


def test_input_tokens_are_counted_as_the_model_counts_them(client: OpenAI) -> None:
    response = ask(client, "How many tokens are these?", instructions="Count them.")
    counted = client.responses.input_tokens.count(
        model=MODEL, input="How many tokens are these?", instructions="Count them."
    )
    assert response.usage is not None
    assert counted.input_tokens == response.usage.input_tokens


def test_turns_continue_by_id_and_by_conversation(client: OpenAI) -> None:
    first = ask(client)
    second = ask(client, "And now say goodbye.", previous_response_id=first.id)
    conversation = client.conversations.create()
    third = ask(client, conversation=conversation.id)
    fourth = ask(client, "And now say goodbye.", conversation=conversation.id)
    for before, after in ((first, second), (third, fourth)):
        assert is_answered(after)
        assert before.usage is not None
        assert after.usage is not None
        assert after.usage.input_tokens > before.usage.input_tokens
    assert len(list(client.conversations.items.list(conversation.id))) == 4


@pytest.mark.parametrize("strict", [True, False])
def test_a_json_schema_holds(client: OpenAI, strict: bool) -> None:
    form = {"type": "json_schema", "name": "animal", "schema": SCHEMA, "strict": strict}
    response = ask(client, "Describe a dog.", tokens=200, text={"format": form})
    animal = Animal.model_validate_json(response.output_text)
    assert response.status == "completed"
    assert animal.legs <= 9


def test_a_parsed_response_has_its_type(client: OpenAI) -> None:
    response = client.responses.parse(
        model=MODEL, input="Describe a dog.", text_format=Animal, max_output_tokens=200
    )
    assert response.status == "completed"
    assert isinstance(response.output_parsed, Animal)


def test_a_json_object_is_json(client: OpenAI) -> None:
    response = ask(client, "Describe a dog in JSON.", tokens=300, text={"format": {"type": "json_object"}})
    assert response.status == "incomplete" or isinstance(json.loads(response.output_text), dict)


@pytest.mark.parametrize("stream", [False, True])
def test_chat_and_text_completions_are_proxied(client: OpenAI, stream: bool) -> None:
    chat = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Say hello."}],
        max_tokens=16,
        stream=stream,
    )
    text = client.completions.create(model=MODEL, prompt="Hello, my name is", max_tokens=8, stream=stream)
    if stream:
        pieces = [each.choices[0].delta.content or "" for each in chat if each.choices]  # type: ignore[union-attr]
        words = [each.choices[0].text for each in text if each.choices]  # type: ignore[union-attr]
        assert "".join(pieces).strip()
        assert "".join(words).strip()
        return
    assert chat.choices[0].message.content  # type: ignore[union-attr]
    assert chat.usage.completion_tokens > 0  # type: ignore[union-attr]
    assert text.choices[0].text.strip()  # type: ignore[union-attr]
    assert text.choices[0].finish_reason == "length"  # type: ignore[union-attr]
    assert text.usage.completion_tokens == 8  # type: ignore[union-attr]
