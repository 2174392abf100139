"""Real embeddings: the models that compute them, and semantic file search."""

import math

import pytest
from openai import OpenAI

from antiphon.wire.json import JSON
from tests.real_model.asking import MODEL

DIMENSIONS = 384
NOTES = {
    "cats.md": "Cats sleep for most of the day.",
    "trains.md": "The night train to Vienna leaves at ten.",
    "bread.md": "Bake the bread for forty minutes.",
}


@pytest.fixture(scope="module")
def embedding_model(client: OpenAI) -> str:
    """Return the only listed model that computes embeddings."""
    types = {model.id: model.to_dict()["custom_metadata"] for model in client.models.list()}
    [found] = [name for name, its in types.items() if its["model_type"] == "embedding"]  # type: ignore[index]
    return found


@pytest.fixture(scope="module")
def store(client: OpenAI) -> str:
    """Return a vector store whose request named no embedding model."""
    created = client.vector_stores.create(name="notes")
    for name, text in NOTES.items():
        attached = client.vector_stores.files.upload_and_poll(
            vector_store_id=created.id, file=(name, text.encode())
        )
        assert (attached.status, attached.last_error) == ("completed", None)
    return created.id


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_have_their_length_and_their_order(
    client: OpenAI, embedding_model: str, encoding: JSON
) -> None:
    texts = ["A cat sleeps.", "A kitten naps.", "The stock market fell."]
    made = client.embeddings.create(model=embedding_model, input=texts, encoding_format=encoding)
    cat, kitten, market = (each.embedding for each in made.data)
    if isinstance(cat, list):
        assert all(len(vector) == DIMENSIONS for vector in (cat, kitten, market))
        assert math.hypot(*cat) == pytest.approx(1, abs=0.01)
        assert _product(cat, kitten) > _product(cat, market)
    assert made.usage.total_tokens > 0


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What do felines do?", "cats.md"),
        ("How do I travel to Austria by rail?", "trains.md"),
        ("How long does a loaf stay in the oven?", "bread.md"),
    ],
)
def test_a_question_in_other_words_finds_its_file(
    client: OpenAI, store: str, question: str, name: str
) -> None:
    options: JSON = {"hybrid_search": {"embedding_weight": 1, "text_weight": 0}}
    found = client.vector_stores.search(store, query=question, extra_body={"ranking_options": options})
    assert next(hit.filename for hit in found) == name
    assert len(list(found)) == len(NOTES)


def test_a_response_searches_the_files(client: OpenAI, store: str) -> None:
    response = client.responses.create(
        model=MODEL,
        input="What is the time of the night train?",
        tools=[{"type": "file_search", "vector_store_ids": [store], "max_num_results": 2}],
        tool_choice={"type": "file_search"},
        include=["file_search_call.results"],
        max_output_tokens=100,
        temperature=0,
    )
    search = response.output[0]
    assert search.type == "file_search_call"
    assert search.status == "completed"
    assert search.results is not None
    assert {hit.filename for hit in search.results} <= NOTES.keys()
    assert search.results
