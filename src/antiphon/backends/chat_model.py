"""Calls a chat backend over HTTP."""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct

from antiphon.backends.counting import COUNT_TIMEOUT, count
from antiphon.backends.http.answer import (
    Answer,
    ConnectError,
    ConnectTimeout,
    HttpError,
    NotHttp,
    Silence,
    Timeouts,
    reason,
)
from antiphon.backends.http.client import Headers, HttpClient, Target
from antiphon.backends.http.sse import MAX_EVENT_BYTES, EventTooLarge, SseSplitter
from antiphon.backends.refusals import excerpt, failed_inside, refused, speaks
from antiphon.engine.ports import Endpoint
from antiphon.errors import (
    AntiphonError,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.ids import INSTANCE, INSTANCE_HEADER
from antiphon.settings.load import endpoint
from antiphon.settings.schema import BackendSettings, Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

_log = logging.getLogger("antiphon.models")

_JSON = "application/json"
_EVENT_STREAM = "text/event-stream"
MAX_RETRY_AFTER = 2.0
"""Seconds: a call is tried once more only if the backend asks for a pause no longer than this."""
_CHAT = "/chat/completions"
TEXT = "/completions"
_CONTENT = {"embeddings": "data", "completions": "choices", "moderations": "results"}
"""The key that the answer of each endpoint must have."""
_MAX_ERROR_BYTES = 64 * 1024
_LAST_BYTES_TIMEOUT = 0.05
"""Seconds that the end of the body may take after `[DONE]`; later, the connection is not used again."""


class _Completion(Struct):
    choices: list[msgspec.Raw] | None = None
    error: JSON = None
    message: JSON = None
    """What stands in the place of `error` at older servers."""


_encode = msgspec.json.Encoder().encode
_completion_decoder = msgspec.json.Decoder(_Completion)


def open_client() -> HttpClient:
    """Returns the client that all backends share. Proxies that the environment names are not used.

    Has to be closed in the event loop in which it is used.
    """
    return HttpClient((("Accept-Encoding", "identity"), ("Accept", "*/*"), (INSTANCE_HEADER, INSTANCE)))


def authorization(backend: BackendSettings) -> Headers:
    """Returns the header that carries the backend's own key, if it has one."""
    return () if backend.api_key is None else (("Authorization", f"Bearer {backend.api_key.reveal()}"),)


def failure(backend: BackendSettings, error: HttpError) -> UpstreamError:
    """Returns our error for one of the client's."""
    host, port = endpoint(backend.base_url)
    if isinstance(error, ConnectTimeout):
        text = f"no connection to {host}:{port} within {backend.connect_timeout:g} s"
        return UpstreamTimeout(speaks(backend, text))
    if isinstance(error, Silence) and error.begun:
        text = f"silent for {backend.idle_timeout:g} s in the middle of its answer"
        return UpstreamTimeout(speaks(backend, text))
    if isinstance(error, Silence):
        return UpstreamTimeout(speaks(backend, f"no answer within {backend.first_byte_timeout:g} s"))
    if isinstance(error, ConnectError):
        why = excerpt(reason(error).encode())
        return UpstreamUnreachable(speaks(backend, f"cannot connect to {host}:{port}: {why}"))
    if isinstance(error, NotHttp):
        return UpstreamBroken(speaks(backend, f"its answer is not HTTP: {excerpt(str(error).encode())}"))
    where = "in the middle of its answer" if error.begun else "before it answered"
    return UpstreamBroken(speaks(backend, f"the connection was cut {where}"))


class HttpChatModel:
    """The chat models of one backend (`engine.ports.ChatModel`), and what else it can be asked.

    With the path `TEXT` its text models, whose chunks come over the wire in the same way.

    Errors: `UpstreamUnreachable`, `UpstreamTimeout`, `UpstreamRefused`, `UpstreamBroken`,
    `ContextLengthExceeded`.
    """

    def __init__(self, client: HttpClient, backend: BackendSettings, path: str = _CHAT) -> None:
        self._client = client
        self._backend = backend
        self._headers = (("Content-Type", "application/json"), *authorization(backend))
        self._target = client.target("POST", backend.base_url + path, self._headers)
        self._timeouts = Timeouts(backend.connect_timeout, backend.first_byte_timeout, backend.idle_timeout)

    @property
    def capabilities(self) -> Capabilities:
        """What the backend understands."""
        return self._backend.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields the whole chunks that each network read brought, or a chat completion on one line.

        How the backend answers counts, and not how it was asked to: some have only one way.
        """
        response = await self._post(self._target, request)
        try:
            kind = response.content_type or (_EVENT_STREAM if request.get("stream") else _JSON)
            if kind == _JSON:
                yield [await self._whole(response)]
                return
            if kind != _EVENT_STREAM:
                raise await self._strange(response)
            splitter = SseSplitter()
            while data := await response.read():
                if payloads := splitter.feed(data):
                    yield payloads
                if splitter.done:
                    break
            if payloads := splitter.close():
                yield payloads
            await _read_out(response)
        except HttpError as error:
            raise failure(self._backend, error) from error
        except EventTooLarge as error:
            raise UpstreamBroken(speaks(self._backend, str(error))) from error
        finally:
            response.close()

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the JSON text of a whole chat completion."""
        body = await self._answer(self._target, request)
        completion = self._completion(body)
        if completion.choices:
            return body
        raise failed_inside(self._backend, completion.error or completion.message)

    async def ask(self, endpoint: Endpoint, request: JSONObject) -> JSONObject:
        """Returns the backend's answer to another request than one for a chat, a JSON object."""
        return await self._object(f"{self._backend.base_url}/{endpoint}", request, _CONTENT[endpoint])

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Returns how many tokens a chat request is for the model; None where the backend does not say."""
        root = self._backend.base_url.removesuffix("/v1")
        try:
            async with asyncio.timeout(COUNT_TIMEOUT):
                return await count(
                    self._backend.kind,
                    lambda path, body, content: self._object(root + path, body, content),
                    request,
                )
        except (AntiphonError, TimeoutError) as error:
            _log.warning("%s: tokens are estimated: %s", self._backend.name, error)
            return None

    async def _object(self, url: str, request: JSONObject, content: str) -> JSONObject:
        """Returns an answer that is a JSON object with a value for `content`."""
        body = await self._answer(self._client.target("POST", url, self._headers), request)
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

    async def _answer(self, target: Target, request: ChatRequest | JSONObject) -> bytes:
        """Returns the body of an answer in one piece."""
        response = await self._post(target, request)
        try:
            if response.content_type not in (_JSON, ""):
                raise await self._strange(response)
            return await self._read(response)
        finally:
            response.close()

    async def _post(self, target: Target, request: ChatRequest | JSONObject) -> Answer:
        """Returns an answer with a status below 300. Tries once more if nothing was begun by then."""
        body = _encode(request)
        is_last = False
        while True:
            try:
                response = await self._client.request(target, body, self._timeouts)
                if response.status < 300:
                    return response
                problem, pause = await self._refused(response), _pause(response)
            except HttpError as error:
                problem, pause = failure(self._backend, error), _hope(error)
                problem.__cause__ = error
            if is_last or pause is None:
                raise problem
            _log.warning("%s; trying once more in %g s", problem.message, pause)
            await asyncio.sleep(pause)
            is_last = True

    async def _refused(self, response: Answer) -> AntiphonError:
        """Returns the error for an answer with another status."""
        try:
            said = await self._read(response, at_most=_MAX_ERROR_BYTES)
        finally:
            response.close()
        return refused(self._backend, response.status, response.headers, said)

    async def _whole(self, response: Answer) -> bytes:
        """Returns an answer in one piece, or what it tells of an error, on one line, as chunks are."""
        body = response.rest() if response.is_whole else await self._read(response)
        self._completion(body)
        return msgspec.json.format(body, indent=-1) if b"\n" in body else body

    def _completion(self, body: bytes) -> _Completion:
        """Returns what is in the body: choices, or an error."""
        try:
            completion = _completion_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            text = f"its answer is not a chat completion: {excerpt(body) or 'it is empty'}"
            raise UpstreamBroken(speaks(self._backend, text)) from error
        if completion.choices or completion.error or completion.message:
            return completion
        raise UpstreamBroken(speaks(self._backend, f"its answer has no choices: {excerpt(body)}"))

    async def _read(self, response: Answer, *, at_most: int | None = None) -> bytes:
        """Returns the body; one of more than `at_most` bytes is cut, one beyond all bounds refused."""
        pieces: list[bytes] = []
        size = 0
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
        return b"".join(pieces)[:at_most]

    async def _strange(self, response: Answer) -> UpstreamBroken:
        """Returns the error for an answer of another type than the one that was asked for."""
        said = excerpt(await self._read(response, at_most=_MAX_ERROR_BYTES))
        kind = response.headers.get("content-type", "no content type")[:100]
        return UpstreamBroken(speaks(self._backend, f"answered with {kind}: {said or 'nothing'}"))


def _hope(error: HttpError) -> float | None:
    """Returns the seconds after which another attempt makes sense: none, if there was no connection."""
    hopeful = isinstance(error, ConnectError) and not isinstance(error.cause, ssl.SSLError)
    return 0.0 if hopeful else None


def _pause(response: Answer) -> float | None:
    """Returns the seconds of `Retry-After`, if they are few enough to wait for."""
    wait = response.headers.get("retry-after", "")
    if response.status not in (429, 503) or not wait.isdecimal() or float(wait) > MAX_RETRY_AFTER:
        return None
    return float(wait)


async def _read_out(response: Answer) -> None:
    """Reads to the end of the body, which follows `[DONE]` at once, so that the connection is used again."""
    if response.is_whole:
        return
    try:
        async with asyncio.timeout(_LAST_BYTES_TIMEOUT):
            while await response.read():
                pass
    except (HttpError, TimeoutError):
        return
