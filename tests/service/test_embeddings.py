import asyncio
from array import array

import pytest

from antiphon.engine.ports import Endpoint
from antiphon.engine.request_context import RequestContext
from antiphon.errors import UpstreamBroken
from antiphon.service.embeddings import Embeddings
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
    packed = asyncio.run(Embeddings(catalogue).embed("up/m", texts, dimensions, RequestContext()))
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
