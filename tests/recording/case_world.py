"""Recording and replay over HTTP for conformance cases: a backend, the server, a client."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from antiphon.settings.schema import Mode
from antiphon.testing import LocalServer, serve
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, post
from tests.support.serving import backend
from tests.support.upstream import Answer, Upstream, chunk, sse

MODEL = "up/m"


def words(*pieces: str) -> Answer:
    """Return a stream with the text `pieces`, and usage."""
    usage = {"prompt_tokens": 3, "completion_tokens": len(pieces), "total_tokens": 3 + len(pieces)}
    return sse(*(chunk(piece) for piece in pieces), chunk(finish="stop"), chunk(usage=usage))


def calling(name: str, arguments: JSON, call_id: str = "call_1") -> Answer:
    """Return a stream that calls a function."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": call_id, "type": "function", "function": function}
    return sse(chunk(tool_calls=[call]), chunk(finish="tool_calls"))


@contextmanager
def recording(
    directory: Path, *answers: Answer, mode: Mode = "record", **settings: JSON
) -> Iterator[tuple[LocalServer, Upstream]]:
    """Serve with a backend that gives these answers, and write recordings to the directory."""
    with Upstream() as upstream:
        upstream.script(*answers)
        with serve(directory, mode, backends=[backend(upstream)], **settings) as server:
            yield server, upstream


def ask(url: str, text: str = "Hello", **rest: JSON) -> Reply:
    """Request a response, by default a stream."""
    return post(url, "/responses", {"model": MODEL, "input": text, "stream": True, **rest})


def chat(url: str, text: str = "Hello", **rest: JSON) -> Reply:
    """Request a non-streaming chat completion."""
    return post(url, "/chat/completions", chat_body(text, **rest))


def chat_body(text: str = "Hello", **rest: JSON) -> JSONObject:
    """Return the body that `chat` sends."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **rest}


def said(reply: Reply) -> str:
    """Return the text of a non-streaming response or chat completion, or the code of its error."""
    if reply.status != 200:
        return str(reply.error["code"])
    body = reply.json
    if "choices" in body:
        return str(body["choices"][0]["message"]["content"])
    return "".join(part["text"] for item in body["output"] for part in item.get("content", []))
