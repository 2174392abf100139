"""The step log of a response, from the notes of the engine.

The log has references to the texts, not copies: the items have them. See docs/internals/step-log.md.
"""

import time
import zlib
from collections.abc import Callable, Iterable

import msgspec

from antiphon.engine.client.kinds import kind_of_call, kind_of_output
from antiphon.engine.hosted.items import has_failed, tool_name
from antiphon.engine.request.content import plain_text
from antiphon.engine.steps import ModelNote, Note, StepNotes
from antiphon.errors import AntiphonError, UpstreamRefused
from antiphon.store.responses.rows import ResponseLog
from antiphon.wire.chat import ChatMessage, ChatRequest, ChatUsage
from antiphon.wire.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputItem,
    Item,
    Message,
)
from antiphon.wire.log import (
    STREAM,
    LoggedError,
    LoggedUsage,
    StoredModelStep,
    StoredRequest,
    StoredStep,
    StoredSteps,
    StoredSummary,
    StoredToolStep,
)
from antiphon.wire.responses import Response

encode = msgspec.json.Encoder().encode
_decode_step: Callable[[str], StoredStep] = msgspec.json.Decoder(StoredStep).decode

MOST_STEPS = 200
"""The most steps of one response in the log."""
_MOST_MESSAGE = 2000
"""The most characters of an error's message in the log."""
_MOST_TEXT = 100
"""The most characters of the input in lists."""
_MOST_TOOLS = 20
"""The most names of tools of one response in the log."""
_MOST_NAME = 200
_MOST_SIZE = 1024 * 1024
"""The most characters of a request that is compared later with what the log has of it."""
_MOST_MESSAGES = 1000
"""The most messages of such a request."""
FROM_ITEMS = frozenset({"model", "messages", "tools", "response_format", "structured_outputs"})
"""The members of a chat request that the response and its items have."""


def preview(given: str | list[InputItem] | None, items: list[Item]) -> str:
    """Return the beginning of the last input, for lists.

    Args:
        given: The input of the request.
        items: The items of the input.
    """
    item = items[-1] if items else None
    text = ""
    if isinstance(given, str):
        text = given
    elif isinstance(item, Message):
        text = plain_text(item.content)
    elif isinstance(item, FunctionCallOutput | CustomToolCallOutput):
        text = item.output if isinstance(item.output, str) else plain_text([*item.output])
    elif item is not None and (kind := kind_of_output(item)) is not None:
        answer = kind.answer(item)
        text = answer if isinstance(answer, str) else plain_text([*answer])
    return " ".join(text[: 2 * _MOST_TEXT].split())[:_MOST_TEXT]


def beginning(notes: StepNotes) -> str:
    """Return the summary of a response in progress."""
    return encode(StoredSummary(text=notes.text)).decode()


def log_of(notes: StepNotes, response: Response, error: AntiphonError | None) -> ResponseLog:
    """Return the log of a response that has ended."""
    ended = time.perf_counter()
    failure = None if error is None else logged_error(error, keeps_content=notes.keeps_content)
    tools = tools_called(response.output)
    steps: list[StoredStep] = [_decode_step(kept) for kept in notes.kept] if notes.kept else []
    offset = len(steps)
    first, calls = None, 0
    for note in notes.notes if len(notes.notes) <= MOST_STEPS else notes.notes[:MOST_STEPS]:
        earlier = notes.earlier.get(len(steps) - offset) if notes.earlier else None
        steps.append(step_of(notes, note, ended) if earlier is None else _decode_step(earlier))
        if isinstance(note, ModelNote):
            calls += 1
            if first is None and note.first is not None:
                first = round(note.first - notes.began, 4)
    usage = response.usage
    summary = StoredSummary(
        text=notes.text,
        seconds=round(ended - notes.began, 4),
        first=first,
        input=usage.input_tokens if usage else None,
        output=usage.output_tokens if usage else None,
        calls=calls,
        tools=tools,
        error=failure,
    )
    logged = StoredSteps(steps=steps, left_out=len(notes.notes) + offset - len(steps), error=failure)
    return ResponseLog(
        encode(summary).decode(), encode(logged).decode(), tools, is_searchable=notes.keeps_content
    )


def step_of(notes: StepNotes, note: Note, now: float) -> StoredStep:
    """Return a step as the log keeps it; one in progress has lasted until `now`."""
    at = round(note.began - notes.began, 4)
    seconds = round((note.ended or now) - note.began, 4)
    if isinstance(note, ModelNote):
        return _model_step(note, at, seconds, keeps_content=notes.keeps_content)
    item = note.item()
    return StoredToolStep(
        at=at,
        seconds=seconds,
        tool=(tool_name(item) or str(item.__struct_config__.tag))[:_MOST_NAME],
        item=str(item.id),
        is_approved=note.is_approved,
        failed=has_failed(item),
    )


def _model_step(note: ModelNote, at: float, seconds: float, *, keeps_content: bool) -> StoredModelStep:
    reply, request = note.reply, None
    error = note.error or reply.failure
    if keeps_content:
        sent = note.request
        settings = {name: value for name, value in sent.items() if name not in FROM_ITEMS}
        if is_stream := STREAM.items() <= settings.items():
            for name in STREAM:
                del settings[name]
        request = StoredRequest(
            crc=checksum(sent) if _is_short(sent["messages"]) else None,
            messages=len(sent["messages"]),
            tools=len(sent["tools"]) if "tools" in sent else 0,
            dropped=note.dropped,
            settings=settings,
            is_stream=is_stream,
        )
    return StoredModelStep(
        at=at,
        seconds=seconds,
        model=note.model,
        first=None if note.first is None else round(note.first - note.began, 4),
        output=note.output,
        purpose=note.purpose,
        finish=reply.finish_reason,
        usage=None if reply.usage is None else _usage(reply.usage),
        retries=[retry[:_MOST_MESSAGE] if keeps_content else "" for retry in note.retries],
        error=None if error is None else logged_error(error, keeps_content=keeps_content),
        request=request,
    )


def _usage(usage: ChatUsage) -> LoggedUsage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return LoggedUsage(
        input=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        cached=(prompt and prompt.cached_tokens) or 0,
        reasoning=(completion and completion.reasoning_tokens) or 0,
    )


def checksum(request: ChatRequest) -> int:
    """Return the CRC-32 of a chat request."""
    return zlib.crc32(encode(request))


def _is_short(messages: list[ChatMessage]) -> bool:
    if len(messages) > _MOST_MESSAGES:
        return False
    size = 0
    for message in messages:
        content = message.get("content")
        size += len(content) if isinstance(content, str) else _size(content)
    return size <= _MOST_SIZE


def _size(value: object) -> int:
    """Return the number of characters in the texts of a message's content."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 0


def tools_called(output: Iterable[Item]) -> list[str]:
    """Return the names of the tools that the output has calls of, each once."""
    names: dict[str, None] = {}
    for item in output:
        if isinstance(item, Message):
            continue
        kind = kind_of_call(item)
        if isinstance(item, FunctionCall | CustomToolCall):
            name: str | None = item.name
        else:
            name = tool_name(item) if kind is None else kind.name
        if name:
            names[name[:_MOST_NAME]] = None
    return list(names)[:_MOST_TOOLS]


def logged_error(error: BaseException, *, keeps_content: bool) -> LoggedError:
    """Return an error as the log keeps it; the message can quote texts and is cut."""
    if not isinstance(error, AntiphonError):
        return LoggedError(type="cancelled")
    return LoggedError(
        type=error.type,
        code=error.code,
        param=None if error.param is None else error.param[:_MOST_NAME],
        message=error.message[:_MOST_MESSAGE] if keeps_content else None,
        status=error.upstream_status if isinstance(error, UpstreamRefused) else error.status,
    )
