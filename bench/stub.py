"""A chat backend that costs little: every completion is the same prepared stream of tokens.

    python bench/stub.py PORT TOKENS

It reads as little of a request as it can, so that what is measured is the server before it.
"""

import asyncio
import sys
from typing import cast

import uvloop


def stream(tokens: int) -> bytes:
    """Returns the whole HTTP answer of a streamed completion of `tokens` tokens."""
    head = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"stub",'
    head += '"choices":[{"index":0,'
    parts = [head + '"delta":{"role":"assistant","content":""},"finish_reason":null}]}']
    for number in range(tokens):
        parts.append(head + f'"delta":{{"content":" token{number % 10}"}},"finish_reason":null}}]}}')
    parts.append(head + '"delta":{},"finish_reason":"stop"}]}')
    usage = f'"usage":{{"prompt_tokens":10,"completion_tokens":{tokens},"total_tokens":{tokens + 10}}}}}'
    parts.append(head[: head.index('"choices"')] + '"choices":[],' + usage)
    body = "".join(f"data: {part}\n\n" for part in parts).encode() + b"data: [DONE]\n\n"
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
    ) + body


MODELS = b'{"object":"list","data":[{"id":"stub","object":"model","created":0,"owned_by":"stub"}]}'


class Backend(asyncio.Protocol):
    """One connection; requests come one after another."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answers as soon as a request is whole."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if head.startswith(b"GET"):
            self._buffer = b""
            size = b"content-length: %d\r\n\r\n" % len(MODELS)
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + size + MODELS)
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            self._transport.write(self._answer)


async def main(port: int, tokens: int) -> None:
    """Serves until it is killed."""
    answer = stream(tokens)
    server = await asyncio.get_running_loop().create_server(lambda: Backend(answer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
