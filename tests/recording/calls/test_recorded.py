"""Properties of a recorded call, in any kind of file."""

from dataclasses import replace

import pytest

from antiphon.recording.calls.endpoints import address_of
from antiphon.recording.calls.exact_hash import real_url, request_hash, tool_hash
from antiphon.recording.calls.recorded import Address, RecordedCall
from tests.recording.samples import chat_request

URL = "https://api.openai.com/v1/v1/chat/completions"
CHAT = RecordedCall(kind="chat", request=chat_request(), scope="tests/test_a.py::test_b")


def test_the_hash_is_that_of_llama_stacks_client_for_openai() -> None:
    assert CHAT.exact_hash == request_hash("POST", URL, chat_request(), "tests/test_a.py::test_b")


def test_a_call_of_ours_has_a_real_url() -> None:
    """llama-stack's client for OpenAI repeats `/v1`; its files and hashes do, too."""
    assert CHAT.address.url == "https://api.openai.com/v1/chat/completions"
    assert CHAT.hashed_url == URL
    assert address_of("/v1/embeddings", {}).url == "https://api.openai.com/v1/embeddings"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/v1/models",
        "http://0.0.0.0:11434/v1/v1/chat/completions",
        "https://lls-test.openai.azure.com/openai/v1/v1/chat/completions",
        "https://generativelanguage.googleapis.com/v1beta/openai/v1/models",
    ],
)
def test_a_url_of_llama_stack_keeps_its_hash(url: str) -> None:
    assert replace(CHAT, address=Address(url=url)).hashed_url == url
    assert replace(CHAT, address=Address(url=real_url(url))).hashed_url == url


def test_the_default_scope_is_no_test() -> None:
    assert replace(CHAT, scope="default").exact_hash == request_hash("POST", URL, chat_request(), None)


def test_a_tool_call_has_the_hash_of_its_tool_and_arguments() -> None:
    call = RecordedCall(
        kind="tool", request={"query": "x"}, address=Address(provider="web", tool_name="search")
    )
    assert call.exact_hash == tool_hash("web", "search", {"query": "x"})
    assert call.key == ""


def test_without_an_address_there_is_no_hash() -> None:
    call = replace(CHAT, address=Address(url="http://[broken"), hash_name="a.json")
    assert call.exact_hash is None
    assert call.stale


def test_only_a_file_that_is_named_by_a_hash_can_be_stale() -> None:
    assert not CHAT.stale
    assert replace(CHAT, hash_name="0123.json").stale
    assert not replace(CHAT, hash_name=f"{CHAT.exact_hash}.json").stale


@pytest.mark.parametrize(
    ("name", "file", "number"),
    [
        ("a.json", "a.json", None),
        ("b/a.json#12", "b/a.json", 12),
        ("b#c/a.json", "b#c/a.json", None),
        ("", "", None),
    ],
)
def test_a_call_is_named_by_file_and_number(name: str, file: str, number: int | None) -> None:
    call = replace(CHAT, name=name)
    assert (call.file, call.number) == (file, number)
