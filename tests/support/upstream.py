"""A scripted chat backend on a real socket.

    with Upstream() as upstream:
        upstream.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
        ...  # call upstream.base_url
        assert upstream.requests[0].json["model"] == "m"

It implements HTTP itself, so that it can also send incomplete bodies, malformed heads, or nothing. It runs in
its own thread. Nothing in it waits for time to pass.
"""

import asyncio
import contextlib
import json
import queue
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.wire.json import JSON, JSONObject
from tests.support.listening import Listening

End = Literal["keep", "close", "cut", "hang"]


@dataclass(frozen=True)
class Answer:
    """One scripted answer.

    `pieces` are sent one by one, each as one HTTP chunk, or as they are with `length` or `bare`. `end`:
    "keep" ends the body and leaves the connection open; "close" ends the body and closes; "cut" closes in the
    middle of the body; "hang" sends nothing more until the client disconnects.
    """

    pieces: Sequence[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream"})
    end: End = "keep"
    length: bool = False
    """Sends Content-Length instead of HTTP chunks."""
    bare: bool = False
    """Sends `pieces` alone: no status line, no headers, no framing."""
    whole: bytes | None = None
    """Sent instead, as JSON, to a non-streaming request, as real backends do."""


@dataclass(frozen=True)
class Request:
    """One complete request to the backend."""

    method: str
    path: str
    headers: dict[str, str]
    """The names are in lower case."""
    body: bytes

    @property
    def json(self) -> JSON:
        """The decoded body."""
        return json.loads(self.body)


def chunk(
    content: str | None = None,
    *,
    finish: str | None = None,
    role: str | None = None,
    tool_calls: list[JSONObject] | None = None,
    usage: JSONObject | None = None,
    **delta: JSON,
) -> JSONObject:
    """Return one chunk of a chat completion; with `usage`, the last one, which has no choices."""
    base: JSONObject = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    if usage is not None:
        return base | {"choices": [], "usage": usage}
    parts = {"role": role, "content": content, "tool_calls": tool_calls} | delta
    given = {key: value for key, value in parts.items() if value is not None}
    return base | {"choices": [{"index": 0, "delta": given, "finish_reason": finish}]}


def completion(content: str | None = "Hello.", *, finish: str = "stop", **message: JSON) -> JSONObject:
    """Return a whole chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content} | message,
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def sse(
    *payloads: JSONObject | bytes, done: bool = True, end: End = "keep", whole: JSONObject | None = None
) -> Answer:
    """Return an event stream of `payloads`, one network write each.

    A non-streaming request gets the same as one body: `whole`, or the payloads joined. Streams that break off
    or that can't be joined are streams in any case (`streaming` has the same effect).
    """
    encoded = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in payloads]
    pieces = [b"data: " + payload + b"\n\n" for payload in encoded]
    folded = None if whole is None else json.dumps(whole).encode()
    if folded is None and done and end == "keep" and all(b'"choices"' in payload for payload in encoded):
        with contextlib.suppress(UpstreamBroken):
            folded = fold_chunks(encoded)
    return Answer([*pieces, *([b"data: [DONE]\n\n"] if done else [])], end=end, whole=folded)


def streaming(answer: Answer) -> Answer:
    """Return the answer of a backend that supports only streams."""
    return replace(answer, whole=None)


def reply(body: JSON = None, *, status: int = 200, end: End = "keep", **headers: str) -> Answer:
    """Return a JSON answer, by default a chat completion; `Retry_After="1"` gives a header."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    encoded = json.dumps(completion() if body is None else body).encode()
    return Answer([encoded], status, {"Content-Type": "application/json"} | given, end, length=True)


def html(text: str, status: int = 200) -> Answer:
    """Return an HTML page."""
    return Answer([text.encode()], status, {"Content-Type": "text/html; charset=utf-8"}, length=True)


def silence() -> Answer:
    """Return an answer that never begins."""
    return Answer(bare=True, end="hang")


class Upstream(Listening):
    """The server. Chat completions get the scripted answers in order, and then the last one again.

    `models` are the models in `GET /models`. An answer with `end="hang"` sets `hanging` once it is sent, and
    `disconnected` once its client disconnects.
    """

    def __init__(
        self,
        models: Sequence[str] = ("m",),
        *,
        tls: ssl.SSLContext | None = None,
        unix_socket: str | None = None,
    ) -> None:
        super().__init__(tls=tls, unix_socket=unix_socket)
        self.models_answer: Answer = reply(models_list(*models))
        self.requests: list[Request] = []
        self.hanging = threading.Event()
        self.disconnected = threading.Event()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._last: Answer | None = None

    @property
    def base_url(self) -> str:
        """Base URL of the API."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[Request]:
        """The chat completion requests so far."""
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    def script(self, *answers: Answer) -> None:
        """Add the answers to the next chat completion requests."""
        for answer in answers:
            self._answers.put(answer)

    def forget(self) -> None:
        """Delete the requests so far and the unused answers, for the next test."""
        self.requests.clear()
        self._answers = queue.SimpleQueue()
        self._last = None
        self.hanging.clear()
        self.disconnected.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection."""
        while (request := await _read_request(reader)) is not None:
            self.requests.append(request)
            answer = self._next(request)
            if answer.whole is not None and not request.json.get("stream"):
                answer = Answer([answer.whole], headers={"Content-Type": "application/json"}, length=True)
            if not await self._answer(answer, reader, writer):
                break

    def _next(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.models_answer
        if not self._answers.empty():
            self._last = self._answers.get_nowait()
        return self._last or reply({"error": {"message": "nothing is scripted"}}, status=500)

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Send `answer`; return whether the connection can be used again."""
        writer.write(_head(answer))
        for piece in answer.pieces:
            framed = answer.length or answer.bare
            writer.write(piece if framed else f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if answer.end == "hang":
            self.hanging.set()
            await reader.read()
            self.disconnected.set()
        elif answer.end != "cut" and not answer.length and not answer.bare:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return answer.end == "keep"


def models_list(*names: str, owned_by: str = "tests") -> JSONObject:
    """Return a list of models."""
    data = [{"id": name, "object": "model", "created": 1, "owned_by": owned_by} for name in names]
    return {"object": "list", "data": data}


def _head(answer: Answer) -> bytes:
    if answer.bare:
        return b""
    headers = dict(answer.headers)
    if answer.length:
        missing = 1 if answer.end in ("cut", "hang") else 0
        headers["Content-Length"] = str(sum(map(len, answer.pieces)) + missing)
    else:
        headers["Transfer-Encoding"] = "chunked"
    if answer.end != "keep":
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)
