"""A full context window, busy slots, abandoned requests and mistakes of clients at a real model."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import APITimeoutError, BadRequestError, NotFoundError, OpenAI

from antiphon.wire.json import JSON, JSONObject
from tests.real_model.asking import MODEL, QUICK, ask
from tests.real_model.running import SLOTS, WINDOW, ModelServer, until

LONG = "word " * WINDOW
STORY = "Write a very long story about a dog."


def mistake(client: OpenAI, prompt: JSON, **rest: JSON) -> JSONObject:
    """Return the error of a request that is the client's mistake."""
    with pytest.raises(BadRequestError) as caught:
        ask(client, prompt, **rest)
    assert isinstance(caught.value.body, dict)
    return caught.value.body


@pytest.mark.parametrize("truncation", ["disabled", "auto"])
def test_a_message_longer_than_the_window_is_the_clients_mistake(client: OpenAI, truncation: str) -> None:
    error = mistake(client, LONG, truncation=truncation)
    assert error["code"] == "context_length_exceeded"
    assert str(error["message"]).startswith("Your input exceeds the context window of this model.")


def test_automatic_truncation_omits_the_oldest_messages(client: OpenAI) -> None:
    turns: JSON = [{"role": "user", "content": "word " * 150} for _ in range(12)]
    response = ask(client, [*turns, {"role": "user", "content": "Say hello."}], truncation="auto")
    assert response.usage is not None
    assert 0 < response.usage.input_tokens < WINDOW


def test_a_context_is_compacted(client: OpenAI) -> None:
    compacted = client.responses.compact(model=MODEL, input="I have a dog. Its name is Rex.")
    assert compacted.output[-1].type == "compaction"


@pytest.mark.parametrize("kind", ["image", "sound"])
def test_an_input_that_the_model_does_not_support_is_the_clients_mistake(client: OpenAI, kind: str) -> None:
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    part = {
        "image": {"type": "input_image", "image_url": f"data:image/png;base64,{data}"},
        "sound": {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
    }[kind]
    error = mistake(client, [{"role": "user", "content": [{"type": "input_text", "text": "What?"}, part]}])
    assert error["type"] == "invalid_request_error"


def test_embeddings_of_a_chat_model_are_the_clients_mistake(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.embeddings.create(model=MODEL, input="a")
    assert caught.value.code == "model_not_supported"


@pytest.mark.parametrize("stream", [False, True])
def test_an_abandoned_request_frees_its_slot(client: OpenAI, model_server: ModelServer, stream: bool) -> None:
    assert until(lambda: model_server.busy == 0)
    stopped = threading.Event()

    def abandon() -> None:
        # The client leaves after the time limit, or after the first event.
        if stream:
            with client.responses.create(
                model=MODEL, input=STORY, max_output_tokens=1500, stream=True
            ) as events:
                for event in events:
                    if event.type == "response.output_text.delta":
                        break
        else:
            with pytest.raises(APITimeoutError):
                client.with_options(timeout=2).responses.create(
                    model=MODEL, input=STORY, max_output_tokens=1500
                )
        stopped.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(abandon)
        assert until(lambda: model_server.busy == 1 or running.done())
        running.result()
    assert stopped.is_set()
    # The rest of the window takes 25 s on an idle machine; a slot that is freed shows at once.
    assert until(lambda: model_server.busy == 0, seconds=10)


def test_more_requests_than_slots_are_answered(client: OpenAI) -> None:
    with ThreadPoolExecutor(2 * SLOTS) as pool:
        responses = list(pool.map(lambda number: ask(client, f"Count to {number}."), range(2 * SLOTS)))
    assert all(response.output_text for response in responses)
    assert len({response.id for response in responses}) == 2 * SLOTS


def test_streams_run_side_by_side(client: OpenAI) -> None:
    with ThreadPoolExecutor(SLOTS) as pool:
        responses = list(
            pool.map(lambda number: ask(client, f"Count to {number}.", stream=True), range(SLOTS))
        )
    assert all(response.output_text for response in responses)


def test_a_model_that_the_server_does_not_list_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.responses.create(model="llamacpp/nope", input="Say hello.", max_output_tokens=QUICK)
    assert caught.value.code == "model_not_found"
