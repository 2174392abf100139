"""Recording and replay of embeddings, text completions and moderations, in both formats."""

import asyncio
import json
from pathlib import Path

import pytest

from antiphon.recording.calls.canonical import canonical_key
from antiphon.recording.calls.endpoints import canonical_body
from antiphon.recording.care.convert import export_calls, import_calls
from antiphon.recording.collection import Collection, read_calls
from antiphon.settings.backends import PRESETS
from antiphon.testing import serve
from antiphon.wire.json import JSONObject
from tests.recording.asking import catalogue
from tests.recording.case_world import MODEL, ask, recording, said, words
from tests.recording.samples import recordings
from tests.server.client import post
from tests.server.routes.test_embeddings import vectors
from tests.server.routes.test_passthrough import FLAGS, TEXT
from tests.support.notes import noting, recordings_of
from tests.support.serving import backend
from tests.support.upstream import Upstream, reply

EMBED: JSONObject = {"model": MODEL, "input": "a"}
COMPLETE: JSONObject = {"model": MODEL, "prompt": "Say hello", "max_tokens": 5}
MODERATE: JSONObject = {"model": MODEL, "input": "Hello"}


def record_all(directory: Path) -> None:
    """Record one call of each endpoint."""
    with recording(directory, reply(vectors([0.5, 1.0])), reply(TEXT), reply(FLAGS)) as (server, upstream):
        assert post(server.url, "/embeddings", EMBED).status == 200
        assert post(server.url, "/completions", COMPLETE).status == 200
        assert post(server.url, "/moderations", MODERATE).status == 200
        assert [request.path for request in upstream.requests if request.method == "POST"] == [
            "/v1/embeddings",
            "/v1/completions",
            "/v1/moderations",
        ]


def replayed_all(directory: Path) -> None:
    """Request the recorded calls, in equivalent words, and others."""
    with serve(directory, repeat=True) as server:
        folded = {**EMBED, "input": ["a"], "encoding_format": "float", "user": "u"}
        for body in (EMBED, folded, {**EMBED, "model": "m"}):
            assert post(server.url, "/embeddings", body).json == vectors([0.5, 1.0])
        assert post(server.url, "/completions", COMPLETE).json == TEXT
        streamed = post(server.url, "/completions", {**COMPLETE, "stream": True})
        assert [each["choices"] for each in streamed.payloads] == [TEXT["choices"]]
        assert post(server.url, "/moderations", MODERATE).json == FLAGS
        assert [outcome.hits for outcome in server.take()] == [1] * 6
        missed = post(server.url, "/embeddings", {**EMBED, "input": "another"})
        assert (missed.status, missed.error["code"]) == (502, "recording_not_found")
        assert 'input: requested "another", recorded "a"' in missed.error["message"]
        [outcome] = server.take()
        assert (outcome.hits, outcome.misses) == (0, 1)


def test_what_endpoints_gave_is_replayed_without_any_chat(tmp_path: Path) -> None:
    record_all(tmp_path)
    replayed_all(tmp_path)


def test_nothing_is_lost_at_llama_stack_and_back(tmp_path: Path) -> None:
    record_all(tmp_path / "ours")
    calls = list(read_calls(tmp_path / "ours", []))
    assert export_calls(calls, tmp_path / "theirs").omitted == []
    exported = list(read_calls(tmp_path / "theirs", []))
    assert {call.kind for call in exported} == {"embedding", "completion", "moderation"}
    assert not any(call.stale for call in exported)  # llama-stack finds them, too.
    embedding = next(call for call in exported if call.kind == "embedding")
    assert (embedding.request, embedding.address.endpoint) == ({**EMBED, "model": "m"}, "/v1/embeddings")
    import_calls(exported, tmp_path / "again")
    for name in ("theirs", "again"):
        replayed_all(tmp_path / name)


@pytest.mark.shared
def test_llama_stacks_completions_answer() -> None:
    directory = recordings("llama-stack")
    texts = [context for context in read_calls(directory, []) if context.kind == "completion"]
    assert {context.streamed for context in texts} == {True, False}
    assert all(context.stale or context.hash_name == f"{context.exact_hash}.json" for context in texts)
    models = catalogue(directory)
    for recorded in texts:
        context = noting(scope=recorded.scope)
        answer = asyncio.run(models.ask("completions", recorded.request, context))
        [choice] = answer["choices"]
        pieces = [json.loads(part)["choices"][0]["text"] for part in recorded.payloads()]
        assert (choice["text"], choice["finish_reason"] is None) == ("".join(pieces), False)
        assert recordings_of(context) == [recorded.name]


def test_endpoints_that_were_recorded_as_tools_still_answer(tmp_path: Path) -> None:
    address = {"url": "", "endpoint": "", "provider": "embeddings", "tool_name": MODEL}
    call = {"call": 1, "kind": "tool", "address": address, "request": {"input": "a"}, "reply": vectors([1.0])}
    file = {"antiphon_recordings": 1, "scope": "default", "calls": [call]}
    (tmp_path / "default.json").write_text(json.dumps(file))
    with serve(tmp_path) as server:
        assert post(server.url, "/embeddings", EMBED).json == vectors([1.0])


def test_an_endpoint_fails_by_the_rules_for_its_model(tmp_path: Path) -> None:
    record_all(tmp_path)
    for rule in ("503,model=m", "cut,model=up/*", "garble,model=m"):
        with serve(tmp_path, fault=f"{rule},call=1; 500,tool=*") as server:
            assert post(server.url, "/embeddings", EMBED).status in (502, 503)
            assert post(server.url, "/embeddings", EMBED).json == vectors([0.5, 1.0])


def test_record_missing_plays_what_there_is_and_records_the_rest(tmp_path: Path) -> None:
    record_all(tmp_path)
    with recording(tmp_path, reply(vectors([2.0])), mode="record-missing") as (server, upstream):
        assert post(server.url, "/embeddings", EMBED).json == vectors([0.5, 1.0])
        assert post(server.url, "/embeddings", {**EMBED, "input": "b"}).json == vectors([2.0])
        assert sum(request.path == "/v1/embeddings" for request in upstream.requests) == 1
    assert len(Collection(tmp_path).tools.entries) == 4
    with serve(tmp_path) as server:
        assert post(server.url, "/embeddings", {**EMBED, "input": "b"}).json == vectors([2.0])


def test_two_backends_with_a_model_of_one_name_answer_each_for_itself(tmp_path: Path) -> None:
    with Upstream() as one, Upstream() as other:
        one.script(words("one"))
        other.script(words("other"))
        named = [backend(one, "one"), backend(other, "other", PRESETS["ollama"])]
        with serve(tmp_path, "record", backends=named) as server:
            for name in ("one", "other"):
                asked: JSONObject = {"model": f"{name}/m", "stream": False, "max_output_tokens": 50}
                assert said(ask(server.url, **asked)) == name
    with serve(tmp_path) as server:
        for name in ("other", "one"):
            asked = {"model": f"{name}/m", "stream": False, "max_output_tokens": 50}
            assert said(ask(server.url, **asked)) == name


def test_a_run_that_failed_before_its_model_was_called_fails_again(tmp_path: Path) -> None:
    tool = {"type": "mcp", "server_label": "lab", "server_url": "http://127.0.0.1:9/mcp"}
    settings: JSONObject = {"allow_hosts": ["127.0.0.1"], "fault": "cut,tool=tools/list"}
    with recording(tmp_path, words("never"), **settings) as (server, _):
        recorded = ask(server.url, tools=[tool], stream=False)
    with serve(tmp_path) as server:
        replayed = ask(server.url, tools=[tool], stream=False)
    assert (recorded.status, recorded.error) == (replayed.status, replayed.error)
    assert "the connection was cut" in recorded.error["message"]


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ({"input": ["a"]}, {"input": "a", "encoding_format": "float"}, True),
        ({"input": "a", "dimensions": 2.0}, {"dimensions": 2, "input": "a", "user": "u"}, True),
        ({"input": "a", "encoding_format": "base64"}, {"input": "a"}, False),
        ({"input": ["a", "b"]}, {"input": ["b", "a"]}, False),
        ({"input": [1]}, {"input": 1}, False),
        ({"input": "a"}, {"input": "A"}, False),
        ({"input": "a", "dimensions": 2}, {"input": "a"}, False),
    ],
)
def test_what_counts_in_a_request_for_embeddings(mine: JSONObject, theirs: JSONObject, same: bool) -> None:
    keys = [canonical_key(canonical_body("embedding", {"model": "m", **each})) for each in (mine, theirs)]
    assert (keys[0] == keys[1]) is same


def test_endpoints_do_not_answer_for_each_other() -> None:
    body: JSONObject = {"model": "m", "input": "a"}
    assert canonical_body("embedding", body) != canonical_body("moderation", body)
