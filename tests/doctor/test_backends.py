"""Findings about backends, each of which lacks one thing."""

import asyncio
import time
from collections.abc import Iterator

import msgspec
import pytest

from antiphon.backends.connections import Clients
from antiphon.doctor.backends import examine_backend
from antiphon.doctor.findings import Finding
from antiphon.settings.backends import PRESETS, BackendSettings
from antiphon.settings.values import Secret
from tests.doctor.stub import Stub

NAMES = [
    "reachable",
    "chat",
    "streaming",
    "usage in streams",
    "tools",
    "parallel calls",
    "json_schema",
    "reasoning",
    "embeddings",
]


@pytest.fixture(scope="module")
def running() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.fixture
def stub(running: Stub) -> Stub:
    running.forget()
    running.faults = set()
    return running


def backend_of(url: str) -> BackendSettings:
    return BackendSettings(
        name="up",
        base_url=url,
        kind="openai",
        capabilities=PRESETS["openai"],
        api_key=Secret("sk-very-secret"),
    )


def examined(backend: BackendSettings, seconds: float = 10.0, model: str | None = None) -> dict[str, Finding]:
    async def examine() -> dict[str, Finding]:
        clients = Clients()
        try:
            section = await examine_backend(backend, clients, model, seconds)
        finally:
            await clients.close()
        assert section.subject == f"up: {backend.base_url}, kind openai, configured"
        return {finding.check: finding for finding in section.findings}

    return asyncio.run(examine())


def test_a_backend_that_can_do_everything_is_ok(stub: Stub) -> None:
    found = examined(backend_of(stub.base_url))
    assert list(found) == NAMES
    assert {finding.status for finding in found.values()} == {"ok"}
    assert found["embeddings"].message == "text-embedding-small returns vectors of 2 numbers"
    assert {request.json["model"] for request in stub.chats} == {"gpt-mini"}
    assert all(request.json["max_completion_tokens"] <= 512 for request in stub.chats)


@pytest.mark.parametrize(
    ("fault", "check", "words", "fix"),
    [
        ("whole stream", "streaming", "arrives as a whole", None),
        ("error in stream", "streaming", "its stream contains an error", None),
        ("no usage", "usage in streams", "streams report no tokens", None),
        ("refuses stream_options", "usage in streams", "stream_options", "Set stream_usage = false in"),
        ("no tools", "tools", "calls no function", "Use another model"),
        ("refuses tools", "tools", "no function tools: up: Unsupported parameter: tools", None),
        ("refuses named choice", "tools", "no choice of one function", "Set named_tool_choice = false in"),
        ("ignores named choice", "tools", "has no effect", "Set named_tool_choice = false in [models.up]"),
        ("one call", "parallel calls", "one after another", None),
        ("refuses parallel_tool_calls", "parallel calls", "parallel", "Set parallel_tool_calls = false in"),
        ("no schema", "json_schema", "ignores schemas", None),
        ("refuses response_format", "json_schema", "text.format doesn't work", None),
        ("refuses reasoning_effort", "reasoning", "reasoning_effort", "Set reasoning_effort = false in"),
        ("no embeddings", "embeddings", "does not support embeddings", "Set embedding_model in"),
    ],
)
def test_an_ability_that_is_missing_is_degraded(
    stub: Stub, fault: str, check: str, words: str, fix: str | None
) -> None:
    stub.faults = {fault}
    found = examined(backend_of(stub.base_url))
    assert found[check].status == "degraded"
    assert words in found[check].message
    assert (found[check].fix or "").startswith(fix or "")
    assert (found[check].fix is None) == (fix is None)
    others = {name: finding.status for name, finding in found.items() if name != check}
    assert set(others.values()) <= {"ok", "skipped", "degraded"}
    assert list(found) == NAMES


def test_a_switch_that_is_off_is_not_tried(stub: Stub) -> None:
    stub.faults = {"refuses stream_options", "refuses parallel_tool_calls", "refuses reasoning_effort"}
    off = msgspec.structs.replace(
        PRESETS["openai"], stream_usage=False, parallel_tool_calls=False, reasoning_effort=False
    )
    found = examined(msgspec.structs.replace(backend_of(stub.base_url), capabilities=off))
    assert found["parallel calls"].status == found["reasoning"].status == "ok"
    assert found["usage in streams"].fix == "Set stream_usage = true in [models.up]"


def test_visible_reasoning_is_named(stub: Stub) -> None:
    stub.faults = {"reasoning"}
    found = examined(backend_of(stub.base_url))
    assert found["reasoning"].message == "the model shows its reasoning (reasoning_content)"


@pytest.mark.parametrize(
    ("fault", "check", "words", "fix"),
    [
        ("wrong key", "reachable", "Incorrect API key", "Check the API key: api_key_env of [models.up]"),
        ("html", "reachable", "not a model list", "Start the backend, or check base_url"),
        ("wrong shape", "chat", "not a chat completion", "Name a model that can chat"),
    ],
)
def test_a_backend_that_does_not_work_is_an_error(
    stub: Stub, fault: str, check: str, words: str, fix: str
) -> None:
    stub.faults = {fault}
    found = examined(backend_of(stub.base_url))
    assert found[check].status == "error"
    assert words in found[check].message
    assert (found[check].fix or "").startswith(fix)
    assert list(found)[-1] == check, "the other checks are omitted"
    assert "sk-very-secret" not in str(found)


def test_a_dead_backend_is_an_error() -> None:
    found = examined(backend_of("http://127.0.0.1:9/v1"))
    assert [(finding.check, finding.status) for finding in found.values()] == [("reachable", "error")]
    assert "cannot connect to 127.0.0.1:9" in found["reachable"].message


def test_a_backend_that_hangs_takes_a_limited_time(stub: Stub) -> None:
    stub.faults = {"hang"}
    began = time.monotonic()
    found = examined(backend_of(stub.base_url), seconds=0.5)
    assert found["chat"].status == "error"
    assert time.monotonic() - began < 10


def test_a_backend_without_a_list_needs_the_name_of_a_model(stub: Stub) -> None:
    stub.faults = {"no list"}
    found = examined(backend_of(stub.base_url))
    assert found["reachable"].status == "degraded"
    assert found["reachable"].fix == "Set models = [...] in [models.up], or name one with --model"
    assert found["chat"].status == "skipped"
    found = examined(backend_of(stub.base_url), model="gpt-mini")
    assert found["chat"].status == "ok"
    named = msgspec.structs.replace(backend_of(stub.base_url), models=("gpt-mini",))
    assert examined(named)["reachable"].status == "ok"
