"""Speed of search in a large vector store, alone and with others at the same time."""

import asyncio
import itertools
import random
import statistics
import time
from array import array
from collections.abc import Iterator

from msgspec import structs

from antiphon.store import Store
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from bench.storing import keep_files

DIMENSIONS = 384
WORDS = 120
"""Words per chunk, from 5,000 with the frequencies of English (Zipf's law)."""
PER_FILE = 10
SEARCHERS = (1, 6)
_SEARCHES = 24
_FIRST = 10
"""The results whose recall is measured."""


class Texts:
    """Random texts and vectors, the same in each run."""

    def __init__(self) -> None:
        self._random = random.Random(5)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self._common = [
            "".join(self._random.choices(letters, k=length)) for length in range(3, 10) for _ in range(715)
        ]
        self._random.shuffle(self._common)
        self._sums = list(itertools.accumulate(1 / rank for rank in range(1, len(self._common) + 1)))
        self._numbers = [self._random.gauss(0, 1) for _ in range(100_000)]

    def files(self, chunks: int) -> Iterator[list[NewChunk]]:
        """Yield the chunks of all files."""
        for start in range(0, chunks, PER_FILE):
            yield [self._chunk(number) for number in range(start, start + PER_FILE)]

    def query(self, store: str, allowed: dict[str, list[str]] | None = None) -> ChunkQuery:
        """Return a search with six frequent words, two rare ones and a vector."""
        words = self._random.choices(
            self._common[100:], [1 / rank for rank in range(101, len(self._common) + 1)], k=6
        )
        number = self._random.randrange(5000)
        return ChunkQuery(
            [store], " ".join([*words, f"detail{number}", f"noun{number}"]), self._vector(), allowed, 100
        )

    def _chunk(self, number: int) -> NewChunk:
        words = self._random.choices(self._common, cum_weights=self._sums, k=WORDS - 2)
        return NewChunk(
            " ".join([*words, f"detail{number % 12_497}", f"noun{number % 5000}"]), self._vector()
        )

    def _vector(self) -> bytes:
        start = self._random.randrange(len(self._numbers) - DIMENSIONS)
        noise = self._random.random()
        return array("f", [number + noise for number in self._numbers[start : start + DIMENSIONS]]).tobytes()


async def measure_speed(store: Store, chunks: int) -> None:
    """Print the milliseconds of each kind of search, and the searches per second of several clients."""
    texts = Texts()
    name = f"vs_{chunks}"
    took = await keep_files(store, name, texts.files(chunks))
    print(f"\n{chunks:,} chunks in {chunks // PER_FILE:,} files, stored in {took:.0f} s\n")
    queries = [texts.query(name) for _ in range(_SEARCHES)]
    files = [f"{name}_{number}" for number in range(chunks // PER_FILE)]
    print("| search | CPU ms | wall ms, median | 95 % |\n|---|---|---|---|")
    for way in ("keyword", "semantic", "hybrid"):
        await _print_row(way, store, [_only(query, way) for query in queries])
    for share, allowed in (("1 of 25 files", files[::25]), ("all files", files)):
        some = [
            ChunkQuery(query.vector_store_ids, query.words, query.vector, {name: allowed}, 100)
            for query in queries
        ]
        await _print_row(f"hybrid, filter passes {share}", store, some)
    for searchers in SEARCHERS:
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_search_all(store, queries[at::searchers]) for at in range(searchers)))
        rate = len(queries) / (time.perf_counter() - began)
        cpu_each = (time.process_time() - cpu) * 1000 / len(queries)
        print(f"| hybrid, {searchers} at once: {rate:.1f} searches/s | {cpu_each:.0f} | | |", flush=True)
    if store.location.startswith("postgresql:"):
        await _compare_index(store, [_only(query, "semantic") for query in queries], chunks)


async def _compare_index(store: Store, queries: list[ChunkQuery], chunks: int) -> None:
    """Print the speed and the recall of the approximate index."""
    exact = [await _nearest(store, query) for query in queries]
    began = time.perf_counter()
    await store.chunks.build_indexes(chunks)
    took = time.perf_counter() - began
    indexed = [structs.replace(query, index_from=chunks) for query in queries]
    found = [await _nearest(store, query) for query in indexed]
    recall = sum(len(set(a) & set(b)) for a, b in zip(exact, found, strict=True)) / _FIRST / len(queries)
    await _print_row(f"semantic, index built in {took:.0f} s: recall@{_FIRST} {recall:.3f}", store, indexed)


async def _nearest(store: Store, query: ChunkQuery) -> list[int]:
    return list((await store.chunks.search(query)).by_vector)[:_FIRST]


def _only(query: ChunkQuery, way: str) -> ChunkQuery:
    words = None if way == "semantic" else query.words
    vector = None if way == "keyword" else query.vector
    return ChunkQuery(query.vector_store_ids, words, vector, query.allowed, query.limit)


async def _search_all(store: Store, queries: list[ChunkQuery]) -> None:
    for query in queries:
        await store.chunks.search(query)


async def _print_row(name: str, store: Store, queries: list[ChunkQuery]) -> None:
    await store.chunks.search(queries[0])  # The first search of a store reads its vectors into memory.
    walls, cpus = [], []
    for query in queries:
        began, cpu = time.perf_counter(), time.process_time()
        await store.chunks.search(query)
        walls.append((time.perf_counter() - began) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    most = statistics.quantiles(walls, n=20)[18]
    print(
        f"| {name} | {statistics.median(cpus):.0f} | {statistics.median(walls):.0f} | {most:.0f} |",
        flush=True,
    )
