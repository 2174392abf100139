"""One line of a batch: the call of its endpoint's use case, and its result."""

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from antiphon.decode import bodies
from antiphon.decode.bounds import FLAT, LONG, check_structure
from antiphon.decode.proxied import decode_object
from antiphon.decode.unknown import unknown_parameter
from antiphon.durable.ids import RunIds
from antiphon.durable.journal import Journal
from antiphon.durable.ports import JournaledCatalogue
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import Observer, RequestContext, Unobserved
from antiphon.engine.slices import in_thread
from antiphon.errors import (
    AntiphonError,
    ConversationLocked,
    InternalError,
    NotFound,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnreachable,
)
from antiphon.ids import LONG as LONG_ID
from antiphon.ids import new_id
from antiphon.service.batches.input import Line, decode_line
from antiphon.service.passthrough.proxied import Proxied
from antiphon.service.responses.responses import Responses
from antiphon.store.runs.rows import Fenced
from antiphon.wire.batches import BatchEndpoint, BatchInputDetails, BatchOutputDetails, BatchUsage
from antiphon.wire.errors import ErrorEnvelope
from antiphon.wire.json import JSON
from antiphon.wire.responses import CreateResponse

T = TypeVar("T")

log = logging.getLogger("antiphon.service")

_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before a call is repeated that the backend rejected for now, plus up to as much again."""
_BUSY = frozenset({429, 502, 503, 529})
"""Statuses of backends that may accept the same request later."""
_FINISHED = ("completed", "incomplete")
_NO_JSON = "The backend's response isn't valid JSON."

_encode = msgspec.json.Encoder().encode


class BodyLimits(Struct, frozen=True, kw_only=True):
    """The limits of request bodies, as for requests over HTTP."""

    max_body_bytes: int = 32 * 1024 * 1024
    """Size limit of a line."""
    max_items: int = 2048
    """Maximum length of arrays."""
    is_strict: bool = False
    """Whether bodies with unknown fields are rejected."""


class LineAnswer(Struct, frozen=True):
    """`response` of a line in an output or error file."""

    status_code: int
    request_id: str
    body: Raw


class LineError(Struct, frozen=True):
    """`error` of a line that has not been executed."""

    code: str
    message: str


class LineOutput(Struct, frozen=True):
    """A line of an output or error file."""

    id: str
    custom_id: str
    response: LineAnswer | None
    error: LineError | None


class _InputDetails(Struct):
    cached_tokens: int | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    """The token counts of a response, a chat completion or embeddings."""

    input_tokens: int | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    prompt_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Counted(Struct):
    usage: JSON = None


_decode_counted = msgspec.json.Decoder(_Counted).decode


class Attempt(Struct, frozen=True, kw_only=True):
    """An execution of a batch, as its lines see it."""

    batch_id: str
    """The ID of the batch."""
    endpoint: BatchEndpoint
    """The endpoint of the batch."""
    epoch: int
    """The number of the execution."""
    context: RequestContext
    """The context of the request that created the batch."""
    observer: Callable[[], Observer] = Unobserved
    """Returns the observer of a call."""


class LineSteps:
    """The finished calls of one line, which neither a repetition nor a later execution makes again.

    Args:
        found: The calls that earlier executions have finished.
        keep: Stores a call.
    """

    def __init__(
        self, found: dict[str, str | None], keep: Callable[[str, str | None], Awaitable[None]]
    ) -> None:
        self.found = found
        """The finished calls by name; None for a tool call that has only begun."""
        self.error: StoreUnavailable | Fenced | None = None
        """The error of a write, after which the execution cannot go on."""
        self._keep = keep

    def skip(self, events: int) -> None:
        """Do nothing: a line has no event log."""

    def begin_call(self, number: int) -> None:
        """Do nothing: an interrupted model call is made again."""

    async def end_call(self, name: str, result: str) -> None:
        """Store the result of a model call."""
        await self.record(name, result)

    async def record(self, name: str, result: str | None) -> None:
        """Store the result of a tool call; None if it begins."""
        try:
            await self._keep(name, result)
        except (StoreUnavailable, Fenced) as error:
            self.error = error
            raise
        self.found[name] = result


class Lines:
    """The execution of lines, by the use cases of their endpoints.

    Args:
        responses_of: Returns the use cases of responses that use a catalogue.
        catalogue: The models.
        proxied: The use cases of the other endpoints.
        limits: The limits of bodies.
    """

    def __init__(
        self,
        responses_of: Callable[[ModelCatalogue], Responses],
        catalogue: ModelCatalogue,
        proxied: Proxied,
        limits: BodyLimits,
    ) -> None:
        self._responses_of = responses_of
        self._responses = responses_of(catalogue)
        self._catalogue = catalogue
        self._proxied = proxied
        self.limits = limits

    async def run(self, attempt: Attempt, line: Line, steps: LineSteps) -> tuple[LineOutput, BatchUsage]:
        """Run a line to its end; return its result and the tokens that it used.

        An error of the request or of the backend is a result.

        Args:
            attempt: The execution.
            line: The line.
            steps: The finished calls of the line.

        Raises:
            Fenced: Another execution has replaced this one.
            StoreUnavailable: The database failed; the line has no result.
        """
        assert line.text is not None  # The input file was checked.
        request = decode_line(line.text)
        try:
            body, status = await self._repeated(attempt, line.number, bytes(request.body), steps), 200
            usage = _usage(body)
        except StoreUnavailable:
            raise
        except AntiphonError as error:
            body, status, usage = _encode(ErrorEnvelope(error.body())), error.status, BatchUsage()
        except Fenced:
            raise
        except Exception:
            # The boundary of a line: the batch goes on after a fault of this server.
            log.exception("Failed to run line %d of batch %s", line.number, attempt.batch_id)
            body, status, usage = _encode(ErrorEnvelope(InternalError().body())), 500, BatchUsage()
        if steps.error is not None:  # The response failed because of it.
            raise steps.error
        answer = LineAnswer(status, new_id("req", 16), Raw(body))
        return LineOutput(line_id(attempt.batch_id, line.number), request.custom_id, answer, None), usage

    async def _repeated(self, attempt: Attempt, number: int, body: bytes, steps: LineSteps) -> bytes:
        """Return the response to a line; repeat the call while the backend is busy or unreachable."""
        found = await self._found(attempt, number) if attempt.epoch > 1 else None
        if found is not None:
            return found
        for repeated, pause in enumerate(_PAUSES):
            try:
                return await self._called(attempt, response_id(attempt, number, repeated), body, steps)
            except (UpstreamError, ConversationLocked) as error:
                if not _is_passing(error):
                    raise
            await asyncio.sleep(pause * (1 + random.random()))  # noqa: S311 (no secret)
        return await self._called(attempt, response_id(attempt, number, len(_PAUSES)), body, steps)

    async def _found(self, attempt: Attempt, number: int) -> bytes | None:
        """Return the stored response that an earlier execution has finished, just before it was stopped."""
        if attempt.endpoint != "/v1/responses":
            return None
        for epoch in range(attempt.epoch - 1, 0, -1):
            earlier = msgspec.structs.replace(attempt, epoch=epoch)
            for repeated in range(len(_PAUSES) + 1):
                try:
                    response = await self._responses.get(
                        attempt.context.owner, response_id(earlier, number, repeated)
                    )
                except NotFound:
                    break
                if response.status in _FINISHED:
                    return _encode(response)
        return None

    async def _called(self, attempt: Attempt, new_response: str, body: bytes, steps: LineSteps) -> bytes:
        if len(body) > FLAT:
            await check_structure(body)
        observer, ids = attempt.observer(), RunIds(new_response)
        context = msgspec.structs.replace(attempt.context, ids=ids, observer=observer)
        try:
            return await self._answer(attempt.endpoint, context, body, Journal(steps.found, steps, ids))
        finally:
            observer.ended()

    async def _answer(
        self, endpoint: BatchEndpoint, context: RequestContext, body: bytes, journal: Journal
    ) -> bytes:
        if endpoint == "/v1/responses":
            return await self._create_response(context, body, journal)
        request = await _decoded(lambda: decode_object(body, self.limits.max_items), body)
        if endpoint == "/v1/embeddings":
            return _encode(await self._proxied.embeddings.create(request, context))
        return _in_one_line(await self._proxied.chat.complete(request, context))

    async def _create_response(self, context: RequestContext, body: bytes, journal: Journal) -> bytes:
        request = await _decoded(lambda: self._decode_response(body), body)
        responses = self._responses_of(JournaledCatalogue(self._catalogue, journal))
        async with await responses.create(context, request) as run:
            return _encode(await run.response())

    def _decode_response(self, body: bytes) -> CreateResponse:
        request = bodies.create_response.decode(body, self.limits.max_items)
        if (unknown := bodies.create_response.unknown(body)) and self.limits.is_strict:
            raise unknown_parameter(unknown)
        return request


def line_id(batch_id: str, number: int) -> str:
    """Return the ID of a line in the output and error files, equal in each execution."""
    return f"batch_req_{_digest(batch_id, number)[:32]}"


def response_id(attempt: Attempt, number: int, repeated: int) -> str:
    """Return the ID of the response that a line creates.

    The next execution finds the response by it. Each call has another one, as a failed response is stored.
    """
    return f"resp_{_digest(attempt.batch_id, number, attempt.epoch, repeated)[: 2 * LONG_ID]}"


def not_executed(batch_id: str, line: Line, code: str, message: str) -> LineOutput:
    """Return the result of a line that was not executed."""
    assert line.text is not None  # The input file was checked.
    custom_id: str = decode_line(line.text).custom_id
    return LineOutput(line_id(batch_id, line.number), custom_id, None, LineError(code, message))


async def _decoded(decode: Callable[[], T], body: bytes) -> T:
    return decode() if len(body) <= LONG else await in_thread(decode)


def _in_one_line(answer: bytes) -> bytes:
    """Return a backend's response without line breaks, which would end the line of the file.

    Raises:
        UpstreamBroken: The response isn't JSON.
    """
    if b"\n" not in answer and b"\r" not in answer:
        return answer
    try:
        return msgspec.json.format(answer, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UpstreamBroken(_NO_JSON) from error


def _is_passing(error: AntiphonError) -> bool:
    if isinstance(error, UpstreamRefused):
        return error.upstream_status in _BUSY and error.code != "insufficient_quota"
    return isinstance(error, UpstreamUnreachable | ConversationLocked)


def _usage(body: bytes) -> BatchUsage:
    """Return the token counts of a response; also check that it is valid JSON.

    Raises:
        UpstreamBroken: It isn't.
    """
    try:
        counted = _decode_counted(body).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamBroken(_NO_JSON) from error
    try:
        usage = msgspec.convert(counted, _Usage)
    except msgspec.ValidationError:
        return BatchUsage()
    read = usage.input_tokens_details or usage.prompt_tokens_details or _InputDetails()
    written = usage.output_tokens_details or usage.completion_tokens_details or _OutputDetails()
    came, went = (
        usage.input_tokens or usage.prompt_tokens or 0,
        usage.output_tokens or usage.completion_tokens or 0,
    )
    return BatchUsage(
        input_tokens=came,
        input_tokens_details=BatchInputDetails(read.cached_tokens or 0),
        output_tokens=went,
        output_tokens_details=BatchOutputDetails(written.reasoning_tokens or 0),
        total_tokens=came + went,
    )


def _digest(*parts: str | int) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
