"""Quality of search: hits at 1 and 5, and the mean reciprocal rank (MRR), for each kind of search."""

import json
import urllib.request
from array import array
from collections.abc import Sequence

from antiphon.documents.ranking import Found, fuse
from antiphon.settings.embedding_inputs import EmbeddingInput, Role
from antiphon.store import Store
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from antiphon.wire.json import JSONObject
from bench.questions import KINDS, Questions
from bench.storing import keep

WAYS = ("keyword", "semantic", "hybrid")
_CANDIDATES = 100
_BATCH = 32


class Figures:
    """The ranks of the right documents in one kind of search."""

    def __init__(self) -> None:
        self.ranks: dict[str, list[int]] = {kind: [] for kind in KINDS}

    def hits(self, kind: str, within: int) -> int:
        """Return the number of questions whose document is among the first `within`."""
        return sum(0 < rank <= within for rank in self.ranks[kind])

    def mrr(self, kind: str) -> float:
        """Return the mean reciprocal rank of the right documents; 0 where they aren't found."""
        ranks = self.ranks[kind]
        return sum(1 / rank for rank in ranks if rank) / len(ranks)


async def rank_all(store: Store, asked: Questions, vectors: Sequence[bytes]) -> dict[str, Figures]:
    """Store the documents, ask all questions, and return the figures of each kind of search.

    Args:
        store: The database.
        asked: The documents and questions.
        vectors: The vectors of the documents and then of the questions.
    """
    count = len(asked.documents)
    new = [NewChunk(text, vector) for text, vector in zip(asked.documents, vectors[:count], strict=True)]
    await keep(store, "vs_questions", new)
    index = {text: at for at, text in enumerate(asked.documents)}
    figures = {way: Figures() for way in WAYS}
    for question, vector in zip(asked.questions, vectors[count:], strict=True):
        query = ChunkQuery(["vs_questions"], question.text, vector, None, _CANDIDATES)
        found = await store.chunks.search(query)
        keyword, semantic = Found("keyword", 1.0, found.by_words), Found("semantic", 1.0, found.by_vector)
        for way, searches in (
            ("keyword", [keyword]),
            ("semantic", [semantic]),
            ("hybrid", [keyword, semantic]),
        ):
            best = [key for key, _ in fuse([searches], count)]
            stored = await store.chunks.get(best)
            ranked = [index[stored[key].text] for key in best]
            rank = ranked.index(question.answer) + 1 if question.answer in ranked else 0
            figures[way].ranks[question.kind].append(rank)
    return figures


def print_table(name: str, figures: dict[str, Figures]) -> None:
    """Print the figures of one database as a table."""
    heads = " | ".join(f"{kind} ({len(figures[WAYS[0]].ranks[kind])}): @1 | @5 | MRR" for kind in KINDS)
    print(f"\n| {name} | {heads} |\n|---|{'---|' * 3 * len(KINDS)}")
    for way, each in figures.items():
        cells = [f"{each.hits(kind, 1)} | {each.hits(kind, 5)} | {each.mrr(kind):.3f}" for kind in KINDS]
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


def embed(url: str, model: str, form: EmbeddingInput, asked: Questions) -> list[bytes]:
    """Return the vectors of documents and questions from an OpenAI-compatible server."""
    vectors: list[bytes] = []
    texts: tuple[tuple[Role, list[str]], ...] = (
        ("passage", asked.documents),
        ("query", [question.text for question in asked.questions]),
    )
    for role, some in texts:
        for start in range(0, len(some), _BATCH):
            vectors += _ask(url, model, form.of(role), some[start : start + _BATCH])
    return vectors


def _ask(url: str, model: str, form: tuple[str, str | None], texts: list[str]) -> list[bytes]:
    prefix, input_type = form
    body: JSONObject = {"model": model, "input": [prefix + text for text in texts]}
    if input_type is not None:
        body["input_type"] = input_type
    request = urllib.request.Request(
        f"{url.rstrip('/')}/embeddings",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return [array("f", each["embedding"]).tobytes() for each in json.load(answer)["data"]]
