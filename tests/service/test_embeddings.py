import asyncio
from array import array

import pytest

from antiphon.engine.ports import Endpoint
from antiphon.engine.request_context import RequestContext
from antiphon.errors import RecordingNotFound, UpstreamBroken
from antiphon.service.embeddings import Embeddings
from antiphon.settings.embedding_inputs import EmbeddingInput, Role
from antiphon.wire.json import JSON, JSONObject
from tests.service.world import Catalogue, ScriptedModel


class Embedding(Catalogue):
    """Catalogue that gives the same answer to every request for embeddings."""

    def __init__(self, answer: JSON) -> None:
        super().__init__(ScriptedModel())
        self.answer = answer
        self.asked: list[JSONObject] = []

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        assert endpoint == "embeddings"
        self.asked.append(request)
        answer: JSONObject = self.answer
        return answer


def embed(catalogue: Embedding, *texts: str, dimensions: int | None = None) -> list[list[float]]:
    packed = asyncio.run(Embeddings(catalogue).embed("up/m", texts, "query", dimensions, RequestContext()))
    return [array("f", vector).tolist() for vector in packed]


def test_vectors_come_in_the_order_of_the_texts() -> None:
    data = [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [1, 0.5]}]
    catalogue = Embedding({"data": data})
    assert embed(catalogue, "a", "b") == [[1, 0.5], [0, 2]]
    assert catalogue.asked == [{"model": "up/m", "input": ["a", "b"], "encoding_format": "float"}]


def test_dimensions_are_asked_for() -> None:
    catalogue = Embedding({"data": [{"embedding": [1]}]})
    embed(catalogue, "a", dimensions=1)
    assert catalogue.asked[0]["dimensions"] == 1


FORMS = {
    "own/e5-small": EmbeddingInput(query_prefix="Q: ", passage_input_type="passage"),
    "own/e5-plain": EmbeddingInput(),
}


@pytest.mark.parametrize(
    ("model", "role", "sent"),
    [
        ("lab/multilingual-e5-small", "query", {"input": ["query: a"]}),
        ("lab/multilingual-e5-small", "passage", {"input": ["passage: a"]}),
        ("ollama/nomic-embed-text:latest", "query", {"input": ["search_query: a"]}),
        ("ollama/nomic-embed-text:latest", "passage", {"input": ["search_document: a"]}),
        ("voyage/voyage-3.5", "query", {"input": ["a"], "input_type": "query"}),
        ("voyage/voyage-3.5", "passage", {"input": ["a"], "input_type": "document"}),
        ("openai/text-embedding-3-small", "query", {"input": ["a"]}),
        ("own/e5-small", "query", {"input": ["Q: a"]}),
        ("own/e5-small", "passage", {"input": ["a"], "input_type": "passage"}),
        ("own/e5-plain", "query", {"input": ["a"]}),
    ],
)
def test_texts_have_the_form_that_the_model_wants(model: str, role: Role, sent: JSONObject) -> None:
    catalogue = Embedding({"data": [{"embedding": [1]}]})
    asyncio.run(Embeddings(catalogue, FORMS).embed(model, ["a"], role, None, RequestContext()))
    assert catalogue.asked == [{"model": model, "encoding_format": "float", **sent}]


class Recorded(Embedding):
    """Catalogue that answers only the recorded texts."""

    def __init__(self, *texts: str) -> None:
        super().__init__({"data": [{"embedding": [1]}]})
        self.texts = texts

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        answer = await super().ask(endpoint, request, context)
        if request["input"] != [*self.texts]:
            raise RecordingNotFound(f"no recording of {request['input']}")
        return answer


def test_recordings_of_texts_as_they_are_answer_too() -> None:
    catalogue = Recorded("a")
    asyncio.run(Embeddings(catalogue).embed("lab/e5-small", ["a"], "query", None, RequestContext()))
    assert [each["input"] for each in catalogue.asked] == [["query: a"], ["a"]]


@pytest.mark.parametrize(("model", "tries"), [("lab/e5-small", 2), ("lab/m", 1)])
def test_without_any_recording_the_error_shows_the_form_of_the_model(model: str, tries: int) -> None:
    catalogue = Recorded()
    shown = {2: r"\['query: a'\]", 1: r"\['a'\]"}[tries]
    with pytest.raises(RecordingNotFound, match=shown):
        asyncio.run(Embeddings(catalogue).embed(model, ["a"], "query", None, RequestContext()))
    assert len(catalogue.asked) == tries


def test_requests_of_clients_are_unchanged() -> None:
    catalogue = Embedding({"data": [{"embedding": [1]}]})
    body: JSONObject = {"model": "lab/multilingual-e5-small", "input": "a"}
    asyncio.run(Embeddings(catalogue).create(body, RequestContext()))
    assert catalogue.asked == [body]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [{"embedding": [1]}, {"embedding": [1]}],
        [{"embedding": "AACAPw=="}],
        [{"embedding": []}],
        [{"embedding": [0, 0]}],
        [{"embedding": [1e300]}],
        [{"embedding": [None]}],
        [7],
    ],
)
def test_what_is_no_vector_for_each_text_is_broken(data: JSON) -> None:
    with pytest.raises(UpstreamBroken, match="up/m: "):
        embed(Embedding({"data": data}), "a")
