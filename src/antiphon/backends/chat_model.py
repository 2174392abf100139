"""Chat models and other endpoints of a backend, over HTTP."""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator
from typing import cast

import msgspec
from msgspec import Struct

from antiphon.backends.connections import failure, headers_of
from antiphon.backends.counting import COUNT_TIMEOUT, count
from antiphon.backends.gathering import gather
from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.decoding import decoded
from antiphon.backends.http.errors import ConnectError, HttpError
from antiphon.backends.http.protocol import Client, Response
from antiphon.backends.http.sse import BOM, MAX_EVENT_BYTES, EventTooLarge, SseSplitter
from antiphon.backends.http.target import Target, target
from antiphon.backends.refusals import excerpt, failed_inside, refused, speaks
from antiphon.engine.ports import Endpoint
from antiphon.engine.reply.whole import fold_chunks, fold_text_chunks
from antiphon.engine.steps import note_retry
from antiphon.errors import AntiphonError, UpstreamBroken
from antiphon.settings.backends import BackendSettings, Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

_log = logging.getLogger("antiphon.models")

_JSON = "application/json"
_EVENT_STREAM = "text/event-stream"
_FIELDS = (b"data:", b"event:", b":")
"""Beginnings of event streams."""
MAX_RETRY_AFTER = 2.0
"""The longest `Retry-After` in seconds for which a call waits before its retry."""
_CHAT = "/chat/completions"
TEXT = "/completions"
_CONTENT = {"embeddings": "data", "completions": "choices", "moderations": "results"}
"""The required key in the response of each endpoint."""
_MAX_ERROR_BYTES = 64 * 1024
_LAST_BYTES_TIMEOUT = 0.05
"""Seconds to wait for the end of the body after `[DONE]`; then the call closes it."""


class _Completion(Struct):
    choices: list[msgspec.Raw] | None = None
    error: JSON = None
    message: JSON = None
    """The error in the form of older servers, instead of `error`."""


_encode = msgspec.json.Encoder().encode
_completion_decoder = msgspec.json.Decoder(_Completion)


class HttpChatModel:
    """The chat models of one backend, and its other endpoints.

    Implements `engine.ports.ChatModel`. The path `TEXT` selects its text models instead, whose chunks are
    streamed in the same way.

    Calls raise `UpstreamUnreachable`, `UpstreamTimeout`, `UpstreamRefused`, `UpstreamBroken` and
    `ContextLengthExceeded`.
    """

    def __init__(self, client: Client, backend: BackendSettings, path: str = _CHAT) -> None:
        self._client = client
        self._backend = backend
        self._headers = (("Content-Type", "application/json"), *headers_of(backend))
        self._target = target("POST", backend.base_url + path, self._headers)
        self._timeouts = Timeouts(backend.connect_timeout, backend.first_byte_timeout, backend.idle_timeout)

    @property
    def capabilities(self) -> Capabilities:
        """The features that the backend supports."""
        return self._backend.capabilities

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the complete chunks of each network read, or one completion on one line.

        The form follows the backend's response rather than the request: some backends support only one form.
        """
        return self._chunks(self._target, self._as_stream(request))

    async def _chunks(self, to: Target, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        response = await self._post(to, request)
        try:
            kind, data = _content_type(response), b""
            if not kind:
                data = await _beginning(response)
                kind = _guessed(_text(data), is_stream=bool(request.get("stream")))
            if kind == _JSON:
                yield [await self._whole(response, data)]
                return
            if kind != _EVENT_STREAM:
                raise await self._strange(response)
            splitter = SseSplitter()
            while data or (data := await response.read()):
                if payloads := splitter.feed(data):
                    yield payloads
                if splitter.done:
                    break
                data = b""
            if payloads := splitter.close():
                yield payloads
            await _read_out(response)
        except HttpError as error:
            raise failure(self._backend, error) from error
        except EventTooLarge as error:
            raise UpstreamBroken(speaks(self._backend, str(error))) from error
        finally:
            await response.close()

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the JSON text of a non-streaming chat completion.

        Like a stream, it may arrive in either form.
        """
        return await gather(self._backend, self.stream(request), fold_chunks)

    async def ask(self, endpoint: Endpoint, request: JSONObject) -> JSONObject:
        """Return the backend's response to a request for another endpoint."""
        url, content = f"{self._backend.base_url}/{endpoint}", _CONTENT[endpoint]
        if endpoint == "completions" and self.capabilities.always_stream:
            chunks = self._chunks(
                target("POST", url, self._headers), self._as_stream(cast(ChatRequest, request))
            )
            return self._decoded(await gather(self._backend, chunks, fold_text_chunks), content)
        return await self._object(url, request, content)

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Return a chat request's number of tokens; None if the backend can't count them."""
        root = self._backend.base_url.removesuffix("/v1")
        try:
            async with asyncio.timeout(COUNT_TIMEOUT):
                return await count(
                    self._backend.kind,
                    lambda path, body, content: self._object(root + path, body, content),
                    request,
                )
        except (AntiphonError, TimeoutError) as error:
            _log.warning("Failed to count tokens, using an estimate: %s: %s", self._backend.name, error)
            return None

    async def _object(self, url: str, request: JSONObject, content: str) -> JSONObject:
        """Return a JSON response in which the key `content` has a value."""
        return self._decoded(await self._answer(target("POST", url, self._headers), request), content)

    def _decoded(self, body: bytes, content: str) -> JSONObject:
        """Return a JSON body in which the key `content` has a value."""
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError) as error:
            text = f"its answer is not JSON: {excerpt(body) or 'it is empty'}"
            raise UpstreamBroken(speaks(self._backend, text)) from error
        if isinstance(answer, dict) and answer.get(content) is not None:
            return answer
        if isinstance(answer, dict) and answer.get("error") is not None:
            raise failed_inside(self._backend, answer["error"])
        raise UpstreamBroken(speaks(self._backend, f"its answer has no {content}: {excerpt(body)}"))

    def _as_stream(self, request: ChatRequest) -> ChatRequest:
        """Return the request, for a stream in any case if the backend must always stream."""
        if request.get("stream") or not self.capabilities.always_stream:
            return request
        streamed: ChatRequest = {**request, "stream": True}
        if self.capabilities.stream_usage:
            streamed["stream_options"] = {"include_usage": True}
        return streamed

    async def _answer(self, to: Target, request: JSONObject) -> bytes:
        """Return the body of a non-streaming response."""
        response = await self._post(to, request)
        try:
            if _content_type(response) not in (_JSON, ""):
                raise await self._strange(response)
            return await self._read(response)
        finally:
            await response.close()

    async def _post(self, to: Target, request: ChatRequest | JSONObject) -> Response:
        """Return a response with a status below 300.

        One retry follows if the backend hadn't begun to process the request.
        """
        body = _encode(request)
        is_last = False
        while True:
            try:
                response = await self._client.request(to, body, self._timeouts)
                if "content-encoding" in response.headers:
                    response = await decoded(response)
                if response.status < 300:
                    return response
                problem, pause = await self._refused(response), _pause(response)
            except HttpError as error:
                problem, pause = failure(self._backend, error), _hope(error)
                problem.__cause__ = error
            if is_last or pause is None:
                raise problem
            note_retry(problem.message)
            _log.warning("Failed to call the backend, retrying in %g s: %s", pause, problem.message)
            await asyncio.sleep(pause)
            is_last = True

    async def _refused(self, response: Response) -> AntiphonError:
        """Return the error for a response with a status of 300 or more."""
        try:
            said = await self._read(response, at_most=_MAX_ERROR_BYTES)
        finally:
            await response.close()
        return refused(self._backend, response.status, response.headers, said)

    async def _whole(self, response: Response, begin: bytes) -> bytes:
        """Return a non-streaming response, perhaps an error, on one line like a chunk."""
        body = await self._read(response, begin=begin)
        self._completion(body)
        return msgspec.json.format(body, indent=-1) if b"\n" in body else body

    def _completion(self, body: bytes) -> _Completion:
        """Return the decoded body, which has choices or an error."""
        try:
            completion = _completion_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            text = f"its answer is not a chat completion: {excerpt(body) or 'it is empty'}"
            raise UpstreamBroken(speaks(self._backend, text)) from error
        if completion.choices or completion.error or completion.message:
            return completion
        raise UpstreamBroken(speaks(self._backend, f"its answer has no choices: {excerpt(body)}"))

    async def _read(self, response: Response, *, begin: bytes = b"", at_most: int | None = None) -> bytes:
        """Return the body, cut after `at_most` bytes; a huge uncut body is an error.

        The part `begin` of the body has been read before. A byte order mark is omitted.
        """
        pieces = [begin]
        size = len(begin)
        try:
            while (at_most is None or size < at_most) and (data := await response.read()):
                pieces.append(data)
                size += len(data)
                if size > MAX_EVENT_BYTES:
                    text = f"an answer of more than {MAX_EVENT_BYTES} bytes"
                    raise UpstreamBroken(speaks(self._backend, text))
                if response.is_whole:
                    break
        except HttpError as error:
            if at_most is None:
                raise failure(self._backend, error) from error
        return b"".join(pieces).removeprefix(BOM)[:at_most]

    async def _strange(self, response: Response) -> UpstreamBroken:
        """Return the error for a response with an unexpected content type."""
        said = excerpt(await self._read(response, at_most=_MAX_ERROR_BYTES))
        kind = response.headers.get("content-type", "no content type")[:100]
        return UpstreamBroken(speaks(self._backend, f"answered with {kind}: {said or 'nothing'}"))


def _hope(error: HttpError) -> float | None:
    """Return 0 seconds before a retry if connecting failed before TLS, else None."""
    hopeful = isinstance(error, ConnectError) and not isinstance(error.cause, ssl.SSLError)
    return 0.0 if hopeful else None


def _pause(response: Response) -> float | None:
    """Return the seconds in `Retry-After`, or None if they are too many to wait."""
    wait = response.headers.get("retry-after", "")
    if response.status not in (429, 503) or not wait.isdecimal() or float(wait) > MAX_RETRY_AFTER:
        return None
    return float(wait)


def _content_type(response: Response) -> str:
    """Return the content type in lower case, without parameters; may be empty."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _beginning(response: Response) -> bytes:
    """Return the body up to the end of the first read with text."""
    data = b""
    while not _text(data) and len(data) < _MAX_ERROR_BYTES and (more := await response.read()):
        data += more
    return data


def _guessed(text: bytes, *, is_stream: bool) -> str:
    """Return the content type of a text without one: as requested, unless it begins like the other."""
    is_other = text.startswith(b"{" if is_stream else _FIELDS)
    return _EVENT_STREAM if is_stream != is_other else _JSON


def _text(data: bytes) -> bytes:
    return data.removeprefix(BOM).strip()


async def _read_out(response: Response) -> None:
    """Read the end of the body after `[DONE]`, so that the connection is reused."""
    if response.is_whole:
        return
    try:
        async with asyncio.timeout(_LAST_BYTES_TIMEOUT):
            while await response.read():
                pass
    except (HttpError, TimeoutError):
        return
