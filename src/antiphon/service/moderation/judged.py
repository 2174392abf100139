"""A chat model whose input and replies are judged."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

import msgspec
from msgspec import Struct

from antiphon.engine.ports import ChatModel
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError
from antiphon.service.moderation.plan import Rule
from antiphon.service.moderation.results import joined, text_part
from antiphon.settings.backends import Capabilities
from antiphon.settings.moderation import ModerationSettings
from antiphon.wire.chat import ChatRequest, ContentPiece
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.moderation import Moderation, ModerationError, ModerationResult

Verdict = ModerationResult | ModerationError

_NOT_JUDGED = ModerationError(code="not_judged", message="There was nothing to judge.")
_encode = msgspec.json.Encoder().encode


class Judgment:
    """The verdicts on one request.

    Args:
        rules: The checks, at least one.
        given: The parts of the input.
        context: The context of the request.
    """

    def __init__(self, rules: Sequence[Rule], given: Sequence[JSONObject], context: RequestContext) -> None:
        self._rules = rules
        self._given = given
        self.context = context
        """The context of the request."""
        self._input: Verdict | None = None
        self._outputs: list[Verdict] = []
        self._is_blocked = False

    @property
    def may_block_output(self) -> bool:
        """Whether flagged output must not reach the client."""
        return any(rule.output == "block" for rule in self._rules)

    def shown(self) -> Moderation:
        """Return the verdicts as clients receive them."""
        return Moderation(input=self._input or _NOT_JUDGED, output=_together(self._outputs))

    async def admits(self) -> bool:
        """Return whether the model may receive the input.

        Input that no rule can block is judged after the reply, so that the client doesn't wait for it.

        Raises:
            AntiphonError: A check that may block has failed.
        """
        if self._input is None and any(rule.input == "block" for rule in self._rules):
            await self._judge_input()
        return not self._is_blocked

    async def passes(self, texts: Sequence[str], *, is_complete: bool) -> bool:
        """Return whether the client may receive the texts of a reply.

        Args:
            texts: The texts so far.
            is_complete: Whether the reply ends with them; only then they are judged by checks that don't
                block, and their verdict is shown.

        Raises:
            AntiphonError: A check that may block has failed.
        """
        if is_complete and self._input is None:
            await self._judge_input()
        parts = [text_part(text) for text in texts if text]
        rules = [rule for rule in self._rules if is_complete or rule.output == "block"]
        if not parts or not rules:
            return True
        verdict, is_blocked = await self._judged(rules, parts, [rule.output == "block" for rule in rules])
        if is_complete or is_blocked:
            self._outputs.append(verdict)
        return not is_blocked

    async def _judge_input(self) -> None:
        if not self._given:
            self._input = _NOT_JUDGED
            return
        blocks = [rule.input == "block" for rule in self._rules]
        self._input, self._is_blocked = await self._judged(self._rules, self._given, blocks)

    async def _judged(
        self, rules: Sequence[Rule], parts: Sequence[JSONObject], blocks: Sequence[bool]
    ) -> tuple[Verdict, bool]:
        """Return the verdict of several rules on parts, and whether one of them blocks the parts."""
        results: list[ModerationResult] = []
        error: ModerationError | None = None
        is_blocked = False
        for rule, may_block in zip(rules, blocks, strict=True):
            try:
                result = await rule.check.judge(parts, self.context)
            except AntiphonError as problem:
                if may_block:
                    # Content that nobody has judged must not pass a check that protects.
                    raise
                error = ModerationError(code=problem.code or problem.type, message=problem.message)
                continue
            results.append(result)
            is_blocked = is_blocked or (may_block and result.flagged)
        return (joined(results) if results else error or _NOT_JUDGED), is_blocked


class JudgedModel:
    """A `ChatModel` that ends blocked replies with `content_filter`.

    Blocked input is not sent to the model. A reply that may be blocked is sent after its check or, with the
    setting `cut`, while it grows.

    Args:
        inner: The model.
        judgment: The verdicts on the request.
        settings: The settings of moderation.
    """

    def __init__(self, inner: ChatModel, judgment: Judgment, settings: ModerationSettings) -> None:
        self._inner = inner
        self._judgment = judgment
        self._step = settings.cut_after if settings.streams == "cut" else None

    @property
    def capabilities(self) -> Capabilities:
        """The features that the backend of the model supports."""
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of the reply, or those that end it early."""
        if not await self._judgment.admits():
            yield [self._filtered(request, "chat.completion.chunk", [0])]
            return
        reply, held = _Reply(), list[bytes]()
        async with aclosing(self._inner.stream(request)) as batches:
            async for batch in batches:
                for data in batch:
                    reply.add(data)
                if reply.error is not None:
                    yield [reply.error]
                    return
                if not await self._passes(reply):
                    yield [self._filtered(request, "chat.completion.chunk", reply.choices)]
                    return
                held += batch
                if not reply.is_unjudged or not self._judgment.may_block_output:
                    yield held
                    held = []

    async def _passes(self, reply: "_Reply") -> bool:
        """Judge a growing reply if it is time, and return whether the client may receive it."""
        is_due = self._step is not None and reply.fresh >= self._step
        if not reply.is_unjudged or not (reply.is_finished or (is_due and self._judgment.may_block_output)):
            return True
        reply.is_unjudged, reply.fresh = False, 0
        return await self._judgment.passes(reply.texts, is_complete=reply.is_finished)

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the chat completion, or one without content."""
        if not await self._judgment.admits():
            return self._filtered(request, "chat.completion", [0])
        answer = await self._inner.complete(request)
        reply = _Reply()
        reply.add(answer)
        if await self._judgment.passes(reply.texts, is_complete=True):
            return answer
        return self._filtered(request, "chat.completion", reply.choices)

    def _filtered(self, request: ChatRequest, kind: str, choices: Sequence[int]) -> bytes:
        """Return a completion or a chunk that ends the choices as filtered."""
        said = "message" if kind == "chat.completion" else "delta"
        message = {"role": "assistant", "content": "", "refusal": None}
        context = self._judgment.context
        return _encode(
            {
                "id": context.ids("chatcmpl"),
                "object": kind,
                "created": int(context.clock()),
                "model": request.get("model", ""),
                "choices": [
                    {"index": index, said: message, "logprobs": None, "finish_reason": "content_filter"}
                    for index in choices
                ],
            }
        )


class _Delta(Struct, gc=False):
    content: str | list[ContentPiece] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @property
    def texts(self) -> Iterator[tuple[str, str]]:
        """The kinds of text with a new piece, and the piece."""
        content = self.content
        if isinstance(content, list):
            content = "".join(piece.text or "" for piece in content)
        pieces = {
            "reasoning": self.reasoning or self.reasoning_content,
            "content": content,
            "refusal": self.refusal,
        }
        return ((kind, piece) for kind, piece in pieces.items() if piece)


class _Choice(Struct, gc=False):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    error: JSON = None


_decode = msgspec.json.Decoder(_Chunk).decode


class _Reply:
    """The texts of a growing reply, by choice."""

    def __init__(self) -> None:
        self.is_unjudged = False
        """Whether something came since the last check."""
        self.fresh = 0
        """Characters since the last check."""
        self.error: bytes | None = None
        """The chunk by which the backend reported an error."""
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._choices: set[int] = set()
        self._open: set[int] = set()

    @property
    def is_finished(self) -> bool:
        """Whether all choices that have begun are at their end."""
        return not self._open

    @property
    def texts(self) -> list[str]:
        """The texts so far."""
        return ["".join(pieces) for pieces in self._texts.values()]

    @property
    def choices(self) -> list[int]:
        """The indexes of the choices."""
        return sorted(self._choices)

    def add(self, data: bytes) -> None:
        """Add a chunk or a whole reply; whoever reads an invalid one reports it."""
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        if chunk.error:
            self.error = data
        for choice in chunk.choices or ():
            index = choice.index or 0
            said = choice.delta or choice.message
            for kind, piece in said.texts if said is not None else ():
                self._texts.setdefault((index, kind), []).append(piece)
                self.fresh += len(piece)
            self._choices.add(index)
            self._open.add(index)
            if choice.finish_reason is not None:
                self._open.discard(index)
            self.is_unjudged = True


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    results = [each for each in verdicts if isinstance(each, ModerationResult)]
    return joined(results) if results else next(iter(verdicts), _NOT_JUDGED)
