"""Compaction and reasoning between turns, through OpenAI's Python SDK."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from openai import BadRequestError, OpenAI

from antiphon.settings.backends import PRESETS, Capabilities
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import USAGE, says
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, sse

TURNS: JSON = [
    {"role": "user", "content": "Remember: the word is banana."},
    {"role": "assistant", "content": "I do."},
]
DETAIL: JSONObject = {"type": "reasoning.encrypted", "data": "QUJD", "index": 0}


def thinks(text: str, **reasoning: JSON) -> Answer:
    return sse(chunk(**reasoning), chunk(text), chunk(finish="stop"), chunk(usage=USAGE))


def messages(upstream: Upstream) -> JSON:
    return upstream.chats[-1].json["messages"]


def test_compact(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply(completion("The word is banana.")), says("Banana."))
    compacted = client.responses.compact(model="up/m", input=TURNS, instructions="Be short.")
    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    assert compacted.usage.total_tokens == 5
    # The SDK has no type for a user message in an output, and warns about it.
    given: JSON = [item.to_dict(warnings=False) for item in compacted.output]
    response = client.responses.create(model="up/m", input=[*given, {"role": "user", "content": "Which?"}])
    assert response.output_text == "Banana."
    assert messages(upstream)[1]["content"].endswith("\nThe word is banana.")


def test_compact_a_stored_response(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("I do."), reply(completion("The word is banana.")))
    first = client.responses.create(model="up/m", input="Remember: the word is banana.")
    compacted = client.responses.compact(model="up/m", previous_response_id=first.id)
    assert [item.type for item in compacted.output] == ["message", "compaction"]


def test_encrypted_content_names_uploaded_files_without_their_content(
    client: OpenAI, upstream: Upstream
) -> None:
    file = client.files.create(file=("words.txt", b"banana " * 1000), purpose="user_data")
    ask: JSON = [{"role": "user", "content": [{"type": "input_file", "file_id": file.id}]}]
    upstream.script(reply(completion("Fruit.")), says("Done."), says("Banana."), reply(completion("Fruit.")))
    first = client.responses.create(
        model="up/m", input=ask, context_management=[{"type": "compaction", "compact_threshold": 1000}]
    )
    assert [item.type for item in first.output] == ["compaction", "message"]
    assert len(str(first.output[0].to_dict()["encrypted_content"])) < 1000
    sent = messages(upstream)[0]
    assert sent["content"].count("banana") == 1000
    client.responses.create(model="up/m", input="Which?", previous_response_id=first.id)
    assert messages(upstream)[0] == sent
    compacted = client.responses.compact(model="up/m", input=ask)
    kept: JSON = compacted.output[0].to_dict(warnings=False)
    assert kept["content"] == [{"type": "input_file", "file_id": file.id, "filename": "words.txt"}]


def test_a_response_that_compacts_on_the_way_streams(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply(completion("Many words.")), says("Done."))
    with client.responses.stream(
        model="up/m",
        input="x" * 8000,
        context_management=[{"type": "compaction", "compact_threshold": 1000}],
    ) as stream:
        response = stream.get_final_response()
    assert [item.type for item in response.output] == ["compaction", "message"]
    assert response.output_text == "Done."


KEYS: dict[str, tuple[Capabilities, JSONObject, JSONObject]] = {
    "vllm": (PRESETS["vllm"], {"reasoning": "Hm, 42."}, {"reasoning": "Hm, 42."}),
    "llama.cpp": (
        PRESETS["llamacpp"],
        {"reasoning_content": "Hm, 42."},
        {"reasoning_content": "Hm, 42."},
    ),
    "openrouter": (
        msgspec.structs.replace(PRESETS["other"], reasoning_input="reasoning_details"),
        {"reasoning_details": [DETAIL]},
        {"reasoning_details": [DETAIL]},
    ),
    "other": (PRESETS["other"], {"reasoning": "Hm, 42."}, {}),
}
"""Forms of reasoning that backends accept, send, and receive back."""


@pytest.fixture(params=KEYS)
def thinking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[OpenAI, Upstream, JSONObject]]:
    """Yield a client, the backend, and the reasoning that the backend must receive back."""
    capabilities, sent, expected = KEYS[request.param]
    with Upstream() as upstream:
        upstream.script(thinks("42", **sent), thinks("43"))
        with (
            Serving(tmp_path / "state.db", backends(backend(upstream, capabilities=capabilities))) as server,
            OpenAI(base_url=server.url, api_key="none", max_retries=0) as client,
        ):
            yield client, upstream, expected


ASK: JSON = [{"role": "user", "content": "6 * 7?"}]
MORE: JSON = {"role": "user", "content": "And one more?"}


def test_reasoning_that_was_sent_back_reaches_its_backend(
    thinking: tuple[OpenAI, Upstream, JSONObject],
) -> None:
    client, upstream, expected = thinking
    first = client.responses.create(
        model="up/m", input=ASK, store=False, include=["reasoning.encrypted_content"]
    )
    history: JSON = [item.to_dict() for item in first.output]
    history[0].pop("content", None)  # api.openai.com sends reasoning only as encrypted content.
    client.responses.create(model="up/m", input=[*ASK, *history, MORE], store=False)
    assert messages(upstream)[1] == {"role": "assistant", "content": "42", **expected}


def test_reasoning_that_is_stored_reaches_its_backend(thinking: tuple[OpenAI, Upstream, JSONObject]) -> None:
    client, upstream, expected = thinking
    first = client.responses.create(model="up/m", input=ASK)
    assert "encrypted_content" not in first.output[0].to_dict()
    client.responses.create(model="up/m", input=[MORE], previous_response_id=first.id)
    assert messages(upstream)[1] == {"role": "assistant", "content": "42", **expected}


def test_reasoning_without_encrypted_content_is_found_by_its_id(
    thinking: tuple[OpenAI, Upstream, JSONObject],
) -> None:
    client, upstream, expected = thinking
    first = client.responses.create(model="up/m", input=ASK)
    history: JSON = [item.to_dict() for item in first.output]
    client.responses.create(model="up/m", input=[*ASK, *history, MORE])
    assert messages(upstream)[1] == {"role": "assistant", "content": "42", **expected}


def test_a_compaction_of_another_server_is_an_error_of_the_sdk(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(
            model="up/m", input=[{"type": "compaction", "encrypted_content": "gAAAAABpzfWE"}]
        )
    assert caught.value.code == "invalid_encrypted_content"
    assert caught.value.param == "input[0].encrypted_content"
