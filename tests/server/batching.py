"""Batches, their input files and the lines of their output files."""

import json
import time
from collections.abc import Iterable
from typing import Literal

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import SECONDS, get, post
from tests.server.forms import uploaded

CHAT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
EMBEDDINGS: Literal["/v1/embeddings"] = "/v1/embeddings"
RESPONSES: Literal["/v1/responses"] = "/v1/responses"
TERMINAL = ("completed", "failed", "expired", "cancelled")


def line(custom_id: str, endpoint: str = RESPONSES, **body: JSON) -> JSONObject:
    """Return a line with a request to the model `up/m`."""
    given: JSONObject = {"model": "up/m"}
    if endpoint == CHAT:
        given["messages"] = [{"role": "user", "content": custom_id}]
    else:
        given["input"] = custom_id
    return {"custom_id": custom_id, "method": "POST", "url": endpoint, "body": given | body}


def jsonl(lines: Iterable[JSON]) -> str:
    """Return the text of an input file."""
    return "".join(json.dumps(each) + "\n" for each in lines)


def create(url: str, *lines: JSON, endpoint: str = RESPONSES, **more: JSON) -> JSONObject:
    """Upload lines, and create their batch."""
    file_id = uploaded(url, jsonl(lines), "lines.jsonl", "batch")
    body = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": "24h"} | more
    created = post(url, "/batches", body)
    assert created.status == 200, created.body
    batch: JSONObject = created.json
    return batch


def ended(url: str, batch_id: str) -> JSONObject:
    """Return a batch once it has ended."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        batch: JSONObject = get(url, f"/batches/{batch_id}").json
        if batch["status"] in TERMINAL:
            return batch
    raise AssertionError(batch)


def results(url: str, file_id: str | None) -> dict[str, JSONObject]:
    """Return the lines of an output or error file by `custom_id`; none without a file."""
    if file_id is None:
        return {}
    text = get(url, f"/files/{file_id}/content").body.decode()
    lines = [json.loads(each) for each in text.splitlines()]
    found = {each["custom_id"]: each for each in lines}
    assert len(found) == len(lines)
    return found
