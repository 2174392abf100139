"""Usage of a response, from the counts of its model calls."""

import pytest

from antiphon.engine.response import spent, tool_usage_of, total, usage_of
from antiphon.wire.chat import ChatRequest, ChatUsage, CompletionTokensDetails, PromptTokensDetails
from antiphon.wire.items import Item, Message, WebSearchCall
from antiphon.wire.responses import InputTokensDetails, OutputTokensDetails, Usage

CHAT = ChatUsage(
    prompt_tokens=30,
    completion_tokens=12,
    total_tokens=42,
    prompt_tokens_details=PromptTokensDetails(cached_tokens=20),
    completion_tokens_details=CompletionTokensDetails(reasoning_tokens=8),
)
ONE = Usage(
    input_tokens=30,
    input_tokens_details=InputTokensDetails(20),
    output_tokens=12,
    output_tokens_details=OutputTokensDetails(8),
    total_tokens=42,
)


def test_one_model_call() -> None:
    assert usage_of(CHAT) == ONE
    assert usage_of(None) is None


def test_the_sum_of_model_calls() -> None:
    assert total(ONE, ONE) == Usage(
        input_tokens=60,
        input_tokens_details=InputTokensDetails(40),
        output_tokens=24,
        output_tokens_details=OutputTokensDetails(16),
        total_tokens=84,
    )


def test_counts_that_are_not_known_add_nothing() -> None:
    assert total(ONE, None) == total(None, ONE) == ONE
    assert total(None, None) is None


@pytest.mark.parametrize(
    ("usage", "chunks", "tokens"),
    [
        (CHAT, 7, 42),
        (ChatUsage(prompt_tokens=3, completion_tokens=4), 1, 7),
        # 400 characters with a little JSON around them, and one token for each chunk.
        (None, 5, 100 + 19 + 5),
        (None, 0, 0),
    ],
)
def test_what_a_model_call_is_charged_with(usage: ChatUsage | None, chunks: int, tokens: int) -> None:
    request: ChatRequest = {
        "model": "m",
        "messages": [{"role": "user", "content": "x" * 400}],
        "stream": True,
    }
    last = b'{"choices": []}'
    assert spent(usage, request, chunks, last) == pytest.approx(tokens, abs=5 if not usage and chunks else 0)


def test_a_non_streaming_answer_is_charged_by_its_length() -> None:
    request: ChatRequest = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}
    assert spent(CHAT, request, 1, b"y" * 4000) == 42
    assert spent(None, request, 1, b"y" * 4000) == pytest.approx(100 + 15 + 1000, abs=5)
    assert spent(None, request, 70, b"y" * 40) == pytest.approx(100 + 15 + 70, abs=5)


def test_completed_searches_count_as_use_of_tools() -> None:
    output: list[Item] = [
        WebSearchCall(status="completed", action={"type": "search", "query": "q"}),
        WebSearchCall(status="completed"),
        WebSearchCall(status="completed", action={"type": "open_page", "url": "https://a.example"}),
        WebSearchCall(status="failed", action={"type": "search", "query": "q"}),
        WebSearchCall(status="incomplete"),
        Message(role="assistant", content="So."),
    ]
    used = tool_usage_of(output)
    assert used.web_search.num_requests == 2
    assert used.image_gen.total_tokens == 0
