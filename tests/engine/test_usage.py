from antiphon.engine.usage import total, usage_of
from antiphon.wire.chat import ChatUsage, CompletionTokensDetails, PromptTokensDetails
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
