"""Token counts from OpenAI, vLLM (`/tokenize`) and llama.cpp (`/apply-template`), as documented."""

import asyncio

import pytest

from antiphon.backends.counting import can_count, count
from antiphon.settings.backends import Kind
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

CHAT: ChatRequest = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
WITH_TOOLS: ChatRequest = {**CHAT, "tools": [{"type": "function", "function": {"name": "f"}}]}


def counted(
    kind: Kind, request: ChatRequest, **answers: JSONObject
) -> tuple[int | None, list[tuple[str, JSON]]]:
    """Return the count and the requests made; `answers` are by the last part of the path."""
    asked: list[tuple[str, JSON]] = []

    async def ask(path: str, body: JSONObject, content: str) -> JSONObject:
        asked.append((path, body))
        answer = answers[path.rpartition("/")[2].replace("-", "_")]
        assert content in answer
        return answer

    return asyncio.run(count(kind, ask, request)), asked


def test_vllm_counts_messages_and_tools() -> None:
    number, asked = counted("vllm", WITH_TOOLS, tokenize={"count": 7, "max_model_len": 99, "tokens": []})
    body = {"model": "m", "messages": WITH_TOOLS["messages"], "tools": WITH_TOOLS["tools"]}
    assert (number, asked) == (7, [("/tokenize", body)])


def test_openai_counts_what_a_response_would_read() -> None:
    number, asked = counted("openai", WITH_TOOLS, input_tokens={"input_tokens": 9})
    assert number == 9
    assert [path for path, _ in asked] == ["/v1/responses/input_tokens"]


def test_openai_does_not_count_sounds() -> None:
    content: JSON = [{"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}]
    assert counted("openai", {**CHAT, "messages": [{"role": "user", "content": content}]}) == (None, [])


def test_llamacpp_counts_the_text_that_its_template_makes() -> None:
    answers: dict[str, JSONObject] = {
        "apply_template": {"prompt": "<|user|>Hi"},
        "tokenize": {"tokens": [1, 2, 3]},
    }
    number, asked = counted("llamacpp", CHAT, **answers)
    assert number == 3
    assert asked == [
        ("/apply-template", {"model": "m", "messages": CHAT["messages"]}),
        ("/tokenize", {"content": "<|user|>Hi", "add_special": True, "parse_special": True}),
    ]


@pytest.mark.parametrize("kind", ["ollama", "lmstudio", "other"])
def test_others_are_not_asked(kind: Kind) -> None:
    assert not can_count(kind)
    assert counted(kind, CHAT) == (None, [])


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
def test_images_are_left_to_an_estimate(kind: Kind) -> None:
    content: JSON = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    request: ChatRequest = {**CHAT, "messages": [{"role": "user", "content": content}]}
    assert counted(kind, request) == (None, [])


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("openai", {"input_tokens": {"input_tokens": "many"}}),
        ("vllm", {"tokenize": {"count": "many"}}),
        ("llamacpp", {"apply_template": {"prompt": "x"}, "tokenize": {"tokens": 1}}),
    ],
)
def test_a_count_that_is_none_is_not_taken(kind: Kind, answers: dict[str, JSONObject]) -> None:
    assert counted(kind, CHAT, **answers)[0] is None
