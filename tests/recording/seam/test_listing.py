"""Models and providers that a server lists in replay mode."""

import asyncio
import re
from pathlib import Path

import pytest

from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.recording.collection import Collection, read_calls
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.listing import backend_at
from antiphon.recording.seam.lookup import RecordingLookup
from tests.recording.asking import Backend, catalogue, said
from tests.recording.samples import chat_request, recording, recordings, write
from tests.recording.seam.test_catalogue import ask


def replaying(directory: Path) -> RecordingCatalogue:
    return RecordingCatalogue(None, RecordingLookup(Collection(directory)), "replay", Faults())


def ids(models: ModelCatalogue) -> list[str]:
    return [model.id for model in asyncio.run(models.list_models()).data]


def provider_ids(models: ModelCatalogue) -> list[tuple[str, str]]:
    return [(each.provider_id, each.provider_type) for each in asyncio.run(models.providers())]


def test_what_this_server_recorded_is_listed_as_it_was_live(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", Backend([said("One")])), "a")
    models = replaying(tmp_path)
    assert ids(models) == ["m", "up/m"]
    assert provider_ids(models) == [("recording", "inline::recording"), ("up", "remote::up")]


def test_each_says_whose_it_is_and_what_it_is_called_there(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", Backend([said("One")])), "a")
    bare, named = asyncio.run(replaying(tmp_path).list_models()).data
    for model, backend in ((bare, "recording"), (named, "up")):
        assert model.owned_by == backend
        assert model.custom_metadata
        assert (model.custom_metadata.provider_id, model.custom_metadata.provider_resource_id) == (
            backend,
            "m",
        )


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://api.openai.com/v1/v1/chat/completions", ["openai/small", "small"]),
        ("http://0.0.0.0:11434/v1/v1/chat/completions", ["ollama/small", "small"]),
        ("https://models.example/v1/v1/chat/completions", ["small"]),
        ("http://[", ["small"]),
    ],
)
def test_a_file_of_llama_stacks_is_listed_under_the_provider_at_its_url(
    url: str, listed: list[str], tmp_path: Path
) -> None:
    file = recording(chat_request(), said("Hi"))
    file["request"]["url"] = url
    write(tmp_path, "a.json", file)
    models = replaying(tmp_path)
    assert ids(models) == listed
    for model in listed:
        assert asyncio.run(models.resolve(model, RequestContext())).name == "small"


@pytest.mark.shared
def test_providers_are_called_as_in_the_names_of_llama_stacks_own_tests() -> None:
    named = set()
    for call in read_calls(recordings("llama-stack"), []):
        asked = re.search(r"txt=(\S+)", call.scope)
        model = call.request.get("model")
        backend = backend_at(call.address.url)
        if call.kind == "chat" and asked and isinstance(model, str) and backend:
            assert asked[1].startswith(f"{backend}/{model}"), (call.scope, call.address.url)
            named.add(backend)
    assert named == {"openai", "azure", "watsonx", "ollama", "vllm", "bedrock"}
