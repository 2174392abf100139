"""The models of llama.cpp, which answers for any name."""

import msgspec
import pytest

from antiphon.backends import catalogue as catalogue_module
from antiphon.backends.catalogue import Models
from antiphon.engine.request_context import RequestContext
from antiphon.settings.backends import Kind
from tests.backends.test_catalogue import at, catalogue, nowhere, refused, resolved
from tests.support.upstream import Upstream, models_list, reply


def test_llama_cpp_is_not_called_for_a_model_that_it_does_not_list() -> None:
    with Upstream(["small"]) as upstream:
        house = at("house", upstream, kind="llamacpp")
        assert resolved("house/small", house) == ("house/small", "small")
        error = refused("house/nope", house)
        assert (error.status, error.code) == (404, "model_not_found")
        assert "Use one of house/small" in error.message


def test_llama_cpp_without_a_model_list_answers_for_itself() -> None:
    off = msgspec.structs.replace(nowhere("off"), kind="llamacpp")
    assert resolved("off/anything", off) == ("off/anything", "anything")


def test_a_new_model_of_llama_cpp_is_found_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "_UNKNOWN_AGE", 0.0)

    async def call(models: Models) -> str:
        await models.resolve("house/old", RequestContext())
        upstream.models_answer = reply(models_list("new"))
        return (await models.resolve("house/new", RequestContext())).id

    with Upstream(["old"]) as upstream:
        assert catalogue(call, at("house", upstream, kind="llamacpp")) == "house/new"


@pytest.mark.parametrize(
    ("kind", "listed", "shown"),
    [
        ("llamacpp", ["/srv/models/Qwen3-8B-Q4_K_M.gguf"], ["house/Qwen3-8B-Q4_K_M.gguf"]),
        ("llamacpp", [r"C:\models\Qwen3-8B-Q4_K_M.gguf"], ["house/Qwen3-8B-Q4_K_M.gguf"]),
        ("llamacpp", ["Qwen/Qwen3-8B"], ["house/Qwen/Qwen3-8B"]),
        ("llamacpp", ["/a/m.gguf", "/b/m.gguf"], ["house//a/m.gguf", "house//b/m.gguf"]),
        ("vllm", ["/srv/models/m.gguf"], ["house//srv/models/m.gguf"]),
    ],
)
def test_a_model_of_llama_cpp_without_an_alias_is_named_after_its_file(
    kind: Kind, listed: list[str], shown: list[str]
) -> None:
    async def call(models: Models) -> list[str]:
        return [model.id for model in (await models.list_models()).data if model.id.startswith("house/")]

    with Upstream(listed) as upstream:
        assert catalogue(call, at("house", upstream, kind=kind)) == shown


def test_a_server_that_was_not_there_at_the_start_needs_a_restart() -> None:
    with Upstream(["small"]) as upstream:
        house = at("house", upstream)
        advice = (
            "restart Antiphon if that server was started later, or add [models.llamacpp] to antiphon.toml"
        )
        assert advice in refused("llamacpp/small", house).message
        assert "restart" not in refused("elsewhere/small", house).message
