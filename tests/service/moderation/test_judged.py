"""A chat model whose input and replies are judged."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import msgspec
import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.errors import UpstreamError
from antiphon.service.moderation.checks import WordsCheck
from antiphon.service.moderation.judged import JudgedModel, Judgment
from antiphon.service.moderation.plan import Rule
from antiphon.service.moderation.results import text_part
from antiphon.settings.backends import PRESETS, Capabilities
from antiphon.settings.moderation import CheckSettings, ModerationSettings, Streams
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.moderation import ModerationError, ModerationMode, ModerationResult
from tests.support.upstream import chunk, completion

REQUEST = ChatRequest(model="m", messages=[{"role": "user", "content": "Hi"}])


class Scripted:
    """A model with prepared chunks, in one batch each."""

    capabilities: Capabilities = PRESETS["openai"]

    def __init__(self, *chunks: JSON) -> None:
        self.calls = 0
        self.given = 0
        self._chunks = [msgspec.json.encode(each) for each in chunks]

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        self.calls += 1
        for each in self._chunks:
            self.given += 1
            yield [each]

    async def complete(self, request: ChatRequest) -> bytes:
        self.calls += 1
        return self._chunks[0]


class Failing:
    """A check that never answers."""

    name = "broken"

    async def judge(self, parts: Sequence[JSONObject], context: RequestContext) -> ModerationResult:
        raise UpstreamError("The check is down.")


def words(given: ModerationMode = "score", said: ModerationMode = "score") -> Rule:
    check = WordsCheck(
        "words", CheckSettings(kind="words", words=("darn", "double trouble"), category="rude")
    )
    return Rule(check, given, said)


def judgment(*rules: Rule, given: str = "Hi") -> Judgment:
    return Judgment(rules, [text_part(given)], RequestContext())


def streamed(
    model: Scripted, verdicts: Judgment, streams: Streams = "hold", cut_after: int = 10
) -> list[list[JSONObject]]:
    """Return the batches of a stream, decoded."""
    settings = ModerationSettings(streams=streams, cut_after=cut_after)

    async def read() -> list[list[JSONObject]]:
        return [
            [msgspec.json.decode(data) for data in batch]
            async for batch in JudgedModel(model, verdicts, settings).stream(REQUEST)
        ]

    return asyncio.run(read())


def said(batches: list[list[JSONObject]]) -> str:
    return "".join(
        (choice["delta"].get("content") or "")
        for batch in batches
        for each in batch
        for choice in each["choices"]
    )


def reasons(batches: list[list[JSONObject]]) -> list[str]:
    choices = [choice for batch in batches for each in batch for choice in each["choices"]]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def test_flagged_input_is_not_sent_to_the_model() -> None:
    model, verdicts = Scripted(chunk("No."), chunk(finish="stop")), judgment(words("block"), given="DARN it")
    batches = streamed(model, verdicts)
    assert (model.calls, reasons(batches), said(batches)) == (0, ["content_filter"], "")
    shown = verdicts.shown()
    assert isinstance(shown.input, ModerationResult)
    assert (shown.input.flagged, shown.input.categories["rude"]) == (True, True)
    assert isinstance(shown.output, ModerationError)


def test_flagged_input_that_is_only_scored_reaches_the_model() -> None:
    model, verdicts = Scripted(chunk("Oh."), chunk(finish="stop")), judgment(words(), given="darn")
    batches = streamed(model, verdicts)
    assert (said(batches), reasons(batches), len(batches)) == ("Oh.", ["stop"], 2)
    shown = verdicts.shown()
    assert isinstance(shown.input, ModerationResult)
    assert isinstance(shown.output, ModerationResult)
    assert (shown.input.flagged, shown.output.flagged) == (True, False)


@pytest.mark.parametrize("streams", ["hold", "cut"])
def test_no_flagged_text_leaves_a_blocking_check(streams: Streams) -> None:
    pieces = [chunk(text) for text in ("All fine so far. ", "Then: da", "rn it. ", "The rest is long.")]
    model, verdicts = Scripted(*pieces, chunk(finish="stop")), judgment(words(said="block"))
    batches = streamed(model, verdicts, streams)
    assert said(batches) == ("All fine so far. " if streams == "cut" else "")
    assert reasons(batches) == ["content_filter"]
    shown = verdicts.shown()
    assert isinstance(shown.output, ModerationResult)
    assert shown.output.flagged


def test_a_cut_stream_does_not_read_the_rest_of_the_reply() -> None:
    pieces = [chunk("A darn long reply. ") for _ in range(20)]
    model = Scripted(*pieces, chunk(finish="stop"))
    streamed(model, judgment(words(said="block")), "cut")
    assert model.given == 1


@pytest.mark.parametrize("streams", ["hold", "cut"])
def test_a_reply_that_passes_is_unchanged(streams: Streams) -> None:
    chunks = [chunk("Once upon "), chunk("a time."), chunk(finish="stop"), chunk(usage={"prompt_tokens": 3})]
    verdicts = judgment(words("block", "block"))
    batches = streamed(Scripted(*chunks), verdicts, streams)
    sent = [each for batch in batches for each in batch]
    assert sent == [msgspec.json.decode(msgspec.json.encode(each)) for each in chunks]


def test_every_choice_is_judged() -> None:
    first, second = chunk("Fine."), chunk("Darn.")
    second["choices"][0]["index"] = 1
    ends = [chunk(finish="stop"), chunk(finish="stop")]
    ends[1]["choices"][0]["index"] = 1
    batches = streamed(Scripted(first, ends[0], second, ends[1]), judgment(words(said="block")))
    assert "Darn." not in said(batches)
    assert reasons(batches)[-1] == "content_filter"


def test_reasoning_and_refusals_are_judged_too() -> None:
    for field in ("reasoning_content", "reasoning", "refusal"):
        thought = chunk("Fine.")
        thought["choices"][0]["delta"][field] = "darn"
        batches = streamed(Scripted(thought, chunk(finish="stop")), judgment(words(said="block")))
        assert reasons(batches) == ["content_filter"]


def test_a_reply_without_an_end_is_not_shown() -> None:
    batches = streamed(Scripted(chunk("Half")), judgment(words(said="block")))
    assert batches == []


def test_an_error_of_the_backend_is_passed_on_without_unjudged_text() -> None:
    batches = streamed(Scripted(chunk("da"), {"error": {"message": "boom"}}), judgment(words(said="block")))
    assert batches == [[{"error": {"message": "boom"}}]]


def test_a_check_that_fails_lets_nothing_through_if_it_blocks() -> None:
    model = Scripted(chunk("Hi"), chunk(finish="stop"))
    with pytest.raises(UpstreamError):
        streamed(model, judgment(Rule(Failing(), "block", "score")))
    assert model.calls == 0
    with pytest.raises(UpstreamError):
        streamed(model, judgment(Rule(Failing(), "score", "block")))


def test_a_check_that_fails_to_score_is_reported() -> None:
    verdicts = judgment(Rule(Failing(), "score", "score"))
    batches = streamed(Scripted(chunk("Hi"), chunk(finish="stop")), verdicts)
    assert said(batches) == "Hi"
    shown = verdicts.shown()
    assert isinstance(shown.input, ModerationError)
    assert (shown.input.message, shown.output) == ("The check is down.", shown.input)


def test_whole_completions_are_judged() -> None:
    settings = ModerationSettings()

    def completed(content: str, *rules: Rule) -> JSONObject:
        model = JudgedModel(Scripted(completion(content)), judgment(*rules), settings)
        answer: JSONObject = msgspec.json.decode(asyncio.run(model.complete(REQUEST)))
        return answer

    assert completed("Fine.", words(said="block"))["choices"][0]["message"]["content"] == "Fine."
    filtered = completed("Darn.", words(said="block"))["choices"][0]
    assert (filtered["finish_reason"], filtered["message"]["content"]) == ("content_filter", "")
    assert completed("Darn.", words())["choices"][0]["message"]["content"] == "Darn."


def test_words_are_whole_words_and_phrases() -> None:
    for text, is_flagged in [
        ("Darned socks", False),
        ("the Double  trouble", True),
        ("double-trouble", False),
        ("DOUBLE TROUBLE!", True),
    ]:
        verdicts = judgment(words("block"), given=text)
        streamed(Scripted(chunk("Hi"), chunk(finish="stop")), verdicts)
        shown = verdicts.shown().input
        assert isinstance(shown, ModerationResult)
        assert shown.flagged is is_flagged, text
