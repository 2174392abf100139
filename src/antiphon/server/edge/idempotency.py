"""Idempotent POST requests, with an `Idempotency-Key`."""

import hashlib
from collections.abc import Awaitable

from python_multipart.multipart import parse_options_header
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.errors import RequestTimeout
from antiphon.server.edge.requests import owner_of
from antiphon.server.edge.state import headers_of
from antiphon.service.access.errors import AnswerNotKept, IdempotencyKeyReused
from antiphon.service.access.idempotency import MAX_ANSWER, Answer, Claim, Idempotency

IDEMPOTENCY_KEY = b"idempotency-key"


class IdempotentPosts:
    """Middleware that stores the responses to idempotent requests and repeats them.

    It doesn't store errors, and no response whose client disconnected: such a request is cancelled unless its
    stream can be resumed, and its repetition begins again. A response is stored before its last byte is sent.
    """

    def __init__(self, app: ASGIApp, idempotency: Idempotency) -> None:
        self.app = app
        self._idempotency = idempotency

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on, or send its stored response."""
        key = headers_of(scope).get(IDEMPOTENCY_KEY)
        if key is None or scope["type"] != "http" or scope["method"] != "POST":
            return self.app(scope, receive, send)
        return self._answer_once(key.decode("latin-1"), scope, receive, send)

    async def _answer_once(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        begun = await self._idempotency.begin(owner_of(HTTPConnection(scope)), key)
        if isinstance(begun, Answer):
            await _repeat(begun, scope, receive, send)
            return
        exchange = _Exchange(begun, scope, receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()


class _Exchange:
    """The first request with a key, and its response."""

    def __init__(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        self._claim = claim
        self._receive = receive
        self._send = send
        self._fingerprint = Fingerprint(scope)
        self._is_read = False
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._is_worth_keeping = False
        self._is_kept = False

    async def receive(self) -> Message:
        """Return the next message of the request, and add it to the fingerprint."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._fingerprint.feed(message.get("body", b""))
            self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the response; store the response before its last message."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [*message.get("headers", ())]
            self._is_worth_keeping = self._status < 400 and await self._read_rest()
        elif self._is_worth_keeping:
            if len(self._body) <= MAX_ANSWER:
                self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._keep()
        await self._send(message)

    def end(self) -> None:
        """Release the key if the response is incomplete."""
        if not self._is_kept:
            self._claim.release()

    async def _read_rest(self) -> bool:
        """Read the rest of the body; return whether the body is complete."""
        try:
            while not self._is_read:
                if (await self.receive())["type"] == "http.disconnect":
                    return False
        except RequestTimeout:
            return False
        return True

    async def _keep(self) -> None:
        self._is_kept = True  # Even if this task is cancelled, because the write has begun.
        answer = Answer(
            fingerprint=self._fingerprint.digest(),
            request_bytes=self._fingerprint.size,
            status=self._status,
            headers=self._headers,
            body=bytes(self._body),
        )
        await self._claim.keep(answer)


async def _repeat(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a stored response again.

    Raises:
        IdempotencyKeyReused: The request differs from the first.
        AnswerNotKept: The response was too large to store.
    """
    fingerprint = Fingerprint(scope)
    more = True
    while more and fingerprint.size <= answer.request_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        fingerprint.feed(message.get("body", b""))
        more = message.get("more_body", False)
    if fingerprint.digest() != answer.fingerprint:
        raise IdempotencyKeyReused
    if answer.body is None:
        raise AnswerNotKept
    headers = [*answer.headers, (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


class Fingerprint:
    """Fingerprint of a request's URL and body.

    It omits the boundary of a multipart form, because clients choose a new one for each attempt. `size` is
    the number of bytes without boundaries.
    """

    def __init__(self, scope: Scope) -> None:
        self.size = 0
        self._hash = hashlib.sha256(scope["path"].encode() + b"?" + scope["query_string"] + b"\0")
        self._boundary = _boundary_of(scope)
        self._pending = b""

    def feed(self, piece: bytes) -> None:
        """Add a piece of the body."""
        if not self._boundary:
            self._add(piece)
            return
        *parts, rest = (self._pending + piece).split(self._boundary)
        for part in parts:
            self._add(part)
        # The last bytes may be the start of a boundary.
        whole = max(0, len(rest) - len(self._boundary) + 1)
        self._add(rest[:whole])
        self._pending = rest[whole:]

    def digest(self) -> bytes:
        """Return the fingerprint of the complete request."""
        self._add(self._pending)
        self._pending = b""
        return self._hash.digest()

    def _add(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)


def _boundary_of(scope: Scope) -> bytes:
    """Return the boundary of a multipart form; empty for other bodies."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type, options = parse_options_header(value)
            return options.get(b"boundary", b"") if media_type == b"multipart/form-data" else b""
    return b""
