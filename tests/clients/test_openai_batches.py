"""Batches, through OpenAI's own client."""

import json
import time
from collections.abc import Sequence
from typing import Literal

import openai
import pytest
from openai import OpenAI
from openai.types import Batch
from openai.types.responses import Response

from antiphon.wire.json import JSONObject
from tests.server.batching import CHAT, EMBEDDINGS, RESPONSES, TERMINAL, jsonl, line
from tests.server.routes.test_embeddings import vectors
from tests.support.upstream import Answer, Upstream, completion, reply

Endpoint = Literal["/v1/responses", "/v1/chat/completions", "/v1/embeddings"]


def run(client: OpenAI, lines: Sequence[JSONObject], endpoint: Endpoint) -> Batch:
    """Run a batch to its end."""
    file = client.files.create(file=("lines.jsonl", jsonl(lines).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint=endpoint,
        completion_window="24h",
        metadata={"job": "nightly"},
    )
    assert batch.status == "validating"
    assert batch.expires_at == batch.created_at + 86_400
    deadline = time.monotonic() + 20
    while batch.status not in TERMINAL and time.monotonic() < deadline:
        batch = client.batches.retrieve(batch.id)
    return batch


def test_a_batch_of_responses_runs_from_upload_to_output(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply())
    batch = run(client, [line("one"), line("two", max_output_tokens=50)], RESPONSES)
    assert (batch.status, batch.errors, batch.error_file_id) == ("completed", None, None)
    assert batch.model == "up/m"
    assert batch.metadata == {"job": "nightly"}
    assert batch.request_counts is not None
    assert batch.usage is not None
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2, 2, 0)
    assert (batch.usage.input_tokens, batch.usage.output_tokens, batch.usage.total_tokens) == (6, 4, 10)
    times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert times == sorted(times, key=lambda at: at or 0)
    assert batch.output_file_id is not None
    file = client.files.retrieve(batch.output_file_id)
    assert (file.purpose, file.expires_at) == ("batch_output", None)
    content = client.files.content(batch.output_file_id).text
    assert file.bytes == len(content)
    first, second = (json.loads(each) for each in content.splitlines())
    assert [first["custom_id"], second["custom_id"]] == ["one", "two"]
    assert first["error"] is None
    assert first["response"]["status_code"] == 200
    response = Response.model_validate(first["response"]["body"])
    assert response.output_text == "Hello."
    assert client.responses.retrieve(response.id).output_text == "Hello."
    assert [each.id for each in client.batches.list(limit=1)][:1] == [batch.id]


def test_a_batch_of_chat_completions_has_the_backends_answers(client: OpenAI, upstream: Upstream) -> None:
    pretty = json.dumps(completion("Hi."), indent=2).encode()
    upstream.script(reply(completion("Hi.")), reply())
    upstream.script(Answer([pretty], 200, {"Content-Type": "application/json"}, length=True))
    batch = run(client, [line(str(number), CHAT) for number in range(3)], CHAT)
    assert batch.status == "completed"
    assert batch.output_file_id is not None
    lines = [json.loads(each) for each in client.files.content(batch.output_file_id).text.splitlines()]
    texts = [each["response"]["body"]["choices"][0]["message"]["content"] for each in lines]
    assert sorted(texts) == ["Hello.", "Hi.", "Hi."]


def test_a_batch_of_embeddings_has_the_backends_answers(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply(vectors([0.5])))
    batch = run(client, [line("a", EMBEDDINGS)], EMBEDDINGS)
    assert batch.status == "completed"
    assert batch.usage is not None
    assert batch.usage.input_tokens == 3
    assert batch.output_file_id is not None
    found = json.loads(client.files.content(batch.output_file_id).text)
    assert found["response"]["body"] == vectors([0.5])


def test_errors_of_lines_are_in_the_error_file(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply())
    bad = line("bad", temperature="hot")
    batch = run(client, [line("good"), bad, line("gone", previous_response_id="resp_0")], RESPONSES)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 2)
    assert batch.error_file_id is not None
    first, second = (json.loads(each) for each in client.files.content(batch.error_file_id).text.splitlines())
    assert first["custom_id"] == "bad"
    assert first["error"] is None
    assert first["response"]["status_code"] == 400
    error = first["response"]["body"]["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "temperature")
    assert second["response"]["body"]["error"]["code"] == "previous_response_not_found"


def test_an_invalid_input_file_fails_the_batch_with_its_lines(client: OpenAI) -> None:
    lines = [line("one"), line("one"), line("two", model="up/other")]
    batch = run(client, lines, RESPONSES)
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.failed_at is not None
    assert batch.errors is not None
    assert batch.errors.data is not None
    found = [(error.code, error.line, error.param) for error in batch.errors.data]
    assert found == [("duplicate_custom_id", 2, "custom_id"), ("mismatched_model", 3, "body.model")]


def test_the_file_must_exist_and_have_the_purpose(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.batches.create(input_file_id="file-0", endpoint=RESPONSES, completion_window="24h")
    assert missing.value.param == "input_file_id"
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="user_data")
    with pytest.raises(openai.BadRequestError) as other:
        client.batches.create(input_file_id=file.id, endpoint=RESPONSES, completion_window="24h")
    assert other.value.code == "invalid_file_purpose"
