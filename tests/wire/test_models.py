"""Models in llama-stack's form."""

import pytest

from antiphon.wire.models import ModelMetadata


@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("qwen3:8b", "llm"),
        ("nomic-embed-text", "embedding"),
        ("Qwen3-Embedding", "embedding"),
        ("multilingual-e5-small-q4", "embedding"),
        ("all-minilm:latest", "embedding"),
        ("BAAI/bge-m3", "embedding"),
        ("BAAI/bge-reranker-v2-m3", "rerank"),
        ("phi-3.5-mini", "llm"),
        ("gemma-e5b", "llm"),
    ],
)
def test_the_type_of_a_model_follows_from_its_name(name: str, model_type: str) -> None:
    metadata = ModelMetadata.of("ollama", name)
    assert (metadata.model_type, metadata.provider_id, metadata.provider_resource_id) == (
        model_type,
        "ollama",
        name,
    )


@pytest.mark.parametrize(("embeds", "model_type"), [(True, "embedding"), (False, "llm")])
def test_what_is_known_of_a_model_counts_more_than_its_name(embeds: bool, model_type: str) -> None:
    assert ModelMetadata.of("local", "my-embedder", embeds=embeds).model_type == model_type
