"""A fast backend that sends completions and responses from prepared bytes.

    python bench/stub.py PORT

The model's name selects the output: `burst-200` sends 200 tokens at once. `paced-50-20` sends 50 tokens at
intervals of 20 ms, each the time at which it is sent. `tools-3` calls the function `file_search` in three
rounds before its text. The backend parses as little as possible, so that measurements show the server in
front of it. `GET /answered` returns the number of model calls so far.
"""

import asyncio
import itertools
import sys
import time
from functools import cache
from typing import cast

import uvloop

_OLD_ID = b"0000000000000000"
_numbers = itertools.count(1)

_MODELS = b"""{"object":"list","data":[%s]}""" % b",".join(
    b'{"id":"%s","object":"model","created":0,"owned_by":"stub"}' % name
    for name in (b"burst-200", b"burst-1", b"paced-50-20", b"paced-250-20", b"tools-3")
)
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

_USAGE = b'"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}'
_CHUNK = (
    b'data: {"id":"chatcmpl-0000000000000000","object":"chat.completion.chunk","created":1,'
    b'"model":"stub","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
)
_CALL = (
    b'{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"call_0000000000000000",'
    b'"type":"function","function":{"name":"file_search","arguments":"{\\"query\\": \\"ferry\\"}"}}]}'
)


def _chat_end(tokens: int, reason: bytes = b'"stop"') -> bytes:
    usage = _USAGE % (tokens, tokens + 10)
    return (
        _CHUNK % (b"{}", reason)
        + b'data: {"id":"chatcmpl-0000000000000000","object":"chat.completion.chunk","created":1,'
        + b'"model":"stub","choices":[],%s}\n\ndata: [DONE]\n\n' % usage
    )


@cache
def chat_stream(tokens: int) -> bytes:
    """Return the events of a streamed completion of `tokens` tokens."""
    first = _CHUNK % (b'{"role":"assistant","content":""}', b"null")
    middle = b"".join(
        _CHUNK % (b'{"content":" token%d"}' % (number % 10), b"null") for number in range(tokens)
    )
    return first + middle + _chat_end(tokens)


@cache
def chat_call() -> bytes:
    """Return the events of a streamed completion that calls a function."""
    return _CHUNK % (_CALL, b"null") + _chat_end(5, b'"tool_calls"')


@cache
def chat_json(tokens: int) -> bytes:
    """Return a non-streaming completion."""
    text = b"".join(b" token%d" % (number % 10) for number in range(tokens))
    return (
        b'{"id":"chatcmpl-0000000000000000","object":"chat.completion","created":1,"model":"stub",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],%s}'
        % (text, _USAGE % (tokens, tokens + 10))
    )


def _response(status: bytes, output: bytes, usage: bytes) -> bytes:
    return (
        b'{"id":"resp_0000000000000000","object":"response","created_at":1,"status":"%s","error":null,'
        b'"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"stub",'
        b'"output":[%s],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":null,'
        b'"store":true,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto",'
        b'"tools":[],"top_p":1.0,"truncation":"disabled","usage":%s,"user":null,"metadata":{},'
        b'"background":false,"service_tier":"default","top_logprobs":0,"max_tool_calls":null,'
        b'"prompt":null,"output_text":null}' % (status, output, usage)
    )


@cache
def response_json(tokens: int) -> bytes:
    """Return a non-streaming response, for servers that need a Responses backend."""
    text = b"".join(b" token%d" % (number % 10) for number in range(tokens))
    usage = (
        b'{"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":%d,'
        b'"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}' % (tokens, tokens + 10)
    )
    return _response(b"completed", _message(b"completed", text), usage)


def _message(status: bytes, text: bytes) -> bytes:
    return (
        b'{"id":"msg_0000000000000000","type":"message","status":"%s","role":"assistant","content":'
        b'[{"type":"output_text","text":"%s","annotations":[],"logprobs":[]}]}' % (status, text)
    )


@cache
def response_stream(tokens: int) -> bytes:
    """Return the events of a streamed response."""
    place = b'"item_id":"msg_0000000000000000","output_index":0,"content_index":0'
    empty = b'{"type":"output_text","text":"","annotations":[],"logprobs":[]}'
    opened = (
        b'{"id":"msg_0000000000000000","type":"message","status":"in_progress","role":"assistant",'
        b'"content":[]}'
    )
    text = b"".join(b" token%d" % (number % 10) for number in range(tokens))
    part = b'{"type":"output_text","text":"%s","annotations":[],"logprobs":[]}' % text
    done = _message(b"completed", text)
    begun = _response(b"in_progress", b"", b"null")
    events: list[tuple[bytes, bytes]] = [
        (b"response.created", b'"response":' + begun),
        (b"response.in_progress", b'"response":' + begun),
        (b"response.output_item.added", b'"output_index":0,"item":' + opened),
        (b"response.content_part.added", place + b',"part":' + empty),
    ]
    for number in range(tokens):
        delta = b'%s,"delta":" token%d","logprobs":[]' % (place, number % 10)
        events.append((b"response.output_text.delta", delta))
    events += [
        (b"response.output_text.done", b'%s,"text":"%s","logprobs":[]' % (place, text)),
        (b"response.content_part.done", place + b',"part":' + part),
        (b"response.output_item.done", b'"output_index":0,"item":' + done),
        (b"response.completed", b'"response":' + response_json(tokens)),
    ]
    return b"".join(
        b'event: %s\ndata: {"type":"%s",%s,"sequence_number":%d}\n\n' % (kind, kind, fields, number)
        for number, (kind, fields) in enumerate(events)
    )


@cache
def chunked(events: bytes) -> bytes:
    """Return the events as HTTP chunks, one each, like servers that stream them."""
    parts = [event + b"\n\n" for event in events.split(b"\n\n") if event]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class Backend(asyncio.Protocol):
    """A connection with sequential requests."""

    answered = 0
    """The number of model calls on all connections."""

    def __init__(self) -> None:
        self._buffer = b""
        self._pace: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop a paced stream."""
        if self._pace is not None:
            self._pace.cancel()

    def data_received(self, data: bytes) -> None:
        """Respond as soon as a request is complete."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if head.startswith(b"GET"):
            self._buffer = b""
            answer = b"%d" % Backend.answered if head.startswith(b"GET /answered") else _MODELS
            self._transport.write(_JSON % len(answer) + answer)
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        Backend.answered += 1
        model = body.partition(b'"model":')[2].partition(b'"')[2].partition(b'"')[0].rpartition(b"/")[2]
        kind, _, numbers = model.partition(b"-")
        first, _, second = numbers.partition(b"-")
        responses = b"/responses" in head.partition(b"\r\n")[0]
        if b'"stream":true' not in body and b'"stream": true' not in body:
            answer = response_json(int(first)) if responses else chat_json(int(first))
            fresh = self._fresh(answer)
            self._transport.write(_JSON % len(fresh) + fresh)
        elif kind == b"paced":
            self._pace = asyncio.create_task(self._paced(int(first), int(second) / 1000))
        elif kind == b"tools" and body.count(b'"role":"tool"') < int(first):
            self._stream(chat_call())
        elif kind == b"tools":
            self._stream(chat_stream(20))
        else:
            self._stream(response_stream(int(first)) if responses else chat_stream(int(first)))

    def _fresh(self, answer: bytes) -> bytes:
        return answer.replace(_OLD_ID, b"%016d" % next(_numbers))

    def _stream(self, events: bytes) -> None:
        self._transport.write(_STREAM + self._fresh(chunked(events)))

    async def _paced(self, tokens: int, gap: float) -> None:
        self._transport.write(_STREAM)
        # Streams that begin together would send all tokens together, unlike real backends.
        due = time.monotonic() + gap * (next(_numbers) * 7 % 20) / 20
        for _ in range(tokens):
            due += gap
            await asyncio.sleep(due - time.monotonic())
            self._write_chunk(_CHUNK % (b'{"content":"%d "}' % time.monotonic_ns(), b"null"))
        self._write_chunk(_chat_end(tokens))
        self._transport.write(b"0\r\n\r\n")

    def _write_chunk(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(data), data))


async def main(port: int) -> None:
    """Serve until the process is killed."""
    server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
