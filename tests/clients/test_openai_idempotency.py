"""Idempotency keys, through OpenAI's own client."""

import pytest
from openai import BadRequestError, OpenAI

from tests.server.faults import TEXT
from tests.support.upstream import Upstream

NAME = "idempotency-key"


def test_the_client_sends_no_key_of_its_own(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(TEXT)
    sent = client.responses.with_raw_response.create(model="up/m", input="Hi").http_request
    assert sent.method == "POST"
    assert NAME not in sent.headers


def test_a_repetition_gets_the_same_response(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(TEXT)
    first, second = [
        client.responses.create(model="up/m", input="Hi", extra_headers={"Idempotency-Key": "one"})
        for _ in range(2)
    ]
    assert first.output_text == "Hello"
    assert first == second
    assert len(upstream.chats) == 1
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="up/m", input="Hi!", extra_headers={"Idempotency-Key": "one"})
    assert caught.value.code == "idempotency_key_reused"
    assert caught.value.param == NAME


def test_a_repeated_stream_is_read_like_the_first(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(TEXT)
    first, second = [
        list(
            client.responses.create(
                model="up/m", input="Hi", stream=True, extra_headers={"Idempotency-Key": "stream"}
            )
        )
        for _ in range(2)
    ]
    assert first[-1].type == "response.completed"
    assert first == second
    assert len(upstream.chats) == 1


def test_an_upload_is_repeated_though_its_form_differs(client: OpenAI) -> None:
    attempts = [
        client.files.with_raw_response.create(
            file=("a.txt", b"hello"), purpose="assistants", extra_headers={"Idempotency-Key": "file"}
        )
        for _ in range(2)
    ]
    forms = {attempt.http_request.headers["content-type"] for attempt in attempts}
    assert len(forms) == 2
    assert attempts[0].parse() == attempts[1].parse()
    assert attempts[1].headers["idempotent-replayed"] == "true"
