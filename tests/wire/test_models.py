"""Models in llama-stack's form."""

import pytest

from antiphon.wire.models import ModelMetadata


@pytest.mark.parametrize(
    ("name", "model_type"),
    [("qwen3:8b", "llm"), ("nomic-embed-text", "embedding"), ("Qwen3-Embedding", "embedding")],
)
def test_the_type_of_a_model_follows_from_its_name(name: str, model_type: str) -> None:
    metadata = ModelMetadata.of("ollama", name)
    assert (metadata.model_type, metadata.provider_id, metadata.provider_resource_id) == (
        model_type,
        "ollama",
        name,
    )
