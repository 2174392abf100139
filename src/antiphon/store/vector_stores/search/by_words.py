"""Keyword search over chunks with BM25: SQLite's FTS5, or SQL for PostgreSQL."""

import math
import re
from collections.abc import Mapping
from itertools import islice

from sqlalchemy import Connection, text

from antiphon.store.vector_stores.search.scope import Scope
from antiphon.store.vector_stores.search.stop_words import without_stop_words
from antiphon.wire.json import JSON

MAX_WORDS = 64
"""The most different words of a query to search for."""
_SATURATION = 1.2
"""BM25's k1, with the value of FTS5 (https://sqlite.org/fts5.html, 4.3.1)."""
NUMBER_WEIGHT = 8
"""The weight of a word with digits; other words have 1. Chosen with the questions of `bench.search`."""
_MOST_RANKED = 10_000
"""The most chunks that SQLite ranks; it omits the most frequent words of a query instead, which say least."""
_MOST_MATCHED = 5000
"""The most chunks that PostgreSQL ranks, which takes it longer; a smaller scope has no limit for words."""
_MOST_CHECKED = 2000
"""The most chunks per query that tests whether they are in the scope."""
_SAMPLED = 64
"""The chunks from which the share of the scope's vector stores is estimated."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Letters of languages without spaces, and of Korean, whose words have suffixes."""


def words(written: str) -> list[str]:
    """Return a text's lower-case words (letters and digits) in order.

    In languages written without spaces, each pair of neighboring characters is a word.
    """
    found: list[str] = []
    for word in _WORD.findall(written.lower()):
        end = 0
        for run in _UNSPACED.finditer(word):
            found += [word[end : run.start()], *_pairs(run[0])]
            end = run.end()
        found.append(word[end:])
    return [word for word in found if word]


def find_words(connection: Connection, query: str, scope: Scope, limit: int) -> dict[int, float]:
    """Return the chunks with words of `query`, with their scores.

    A score is BM25's sum divided by that of a chunk full of every word. It is at most 1, and about 0.45 for a
    chunk of average length that has each word once. Words that no chunk has lower the scores, so that a
    match of one word in many is weak. A word with digits counts like several words, because it often is the
    name of the one thing that the query is about.

    Args:
        connection: The connection to use.
        query: The text to search for.
        scope: The chunks to search.
        limit: The most chunks to return.
    """
    sought = without_stop_words(list(dict.fromkeys(words(query))))[:MAX_WORDS]
    if not sought or scope.is_empty:
        return {}
    find = _find_sqlite if connection.dialect.name == "sqlite" else _find_postgresql
    return find(connection, sought, scope, limit)


def store_token(vector_store_id: str) -> str:
    """Return the ID of a vector store as one word of SQLite's index."""
    return re.sub(r"[^0-9a-z]", "", vector_store_id.lower())


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(len(run) - 1, 1))]


def _find_sqlite(connection: Connection, sought: list[str], scope: Scope, limit: int) -> dict[int, float]:
    total = int(connection.execute(text("SELECT count(*) FROM chunks")).scalar_one())
    having = {word: int(connection.execute(_COUNT, {"words": _term(word)}).scalar_one()) for word in sought}
    # FTS5's formula: a word in half of all chunks or more has almost no weight, but never a negative one.
    rarity = {word: max(math.log((total - n + 0.5) / (n + 0.5)), 1e-6) for word, n in having.items()}
    held = [word for word in sought if having[word]]
    ideal = (_SATURATION + 1) * sum(_repeats(word) * rarity[word] for word in held)
    # Among few chunks, FTS5 gives each word almost no weight. The share of words that no chunk has must not
    # be compared with that, or the score would be 0.
    smooth = {
        word: _repeats(word) * math.log(1 + (total - n + 0.5) / (n + 0.5)) for word, n in having.items()
    }
    known = sum(smooth[word] for word in held) / sum(smooth.values())
    # FTS5 adds up the scores of repeated words. Words have only letters and digits, so that it finds no
    # syntax inside the quotes.
    terms = [term for word in _telling(having, _MOST_RANKED) for term in [_term(word)] * _repeats(word)]
    if not terms:
        return {}
    ranked = connection.execute(_RANK, {"words": f"{_of_stores(connection, scope)}({' OR '.join(terms)})"})
    found: dict[int, float] = {}
    size = 2 * limit
    while len(found) < limit and (rows := ranked.fetchmany(size)):
        kept = scope.keep(connection, [row[0] for row in rows])
        found |= {chunk_id: known * min(score / ideal, 1.0) for chunk_id, score in rows if chunk_id in kept}
        size = min(2 * size, _MOST_CHECKED)
    ranked.close()
    return dict(islice(found.items(), limit))


_COUNT = text("SELECT count(*) FROM chunk_terms WHERE chunk_terms MATCH :words")
# The store's column has weight 0 and at most limits the search. The scope is checked afterwards, for the best
# chunks only, because a list of all its chunks takes longer than the search.
_RANK = text(
    "SELECT rowid, -bm25(chunk_terms, 0.0, 1.0) FROM chunk_terms WHERE chunk_terms MATCH :words "
    "ORDER BY 2 DESC, 1"
)

# Chunks at equal distances between the first and the last one.
_SAMPLE = text(
    "WITH RECURSIVE place (at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM place WHERE at < :places), "
    "ends AS MATERIALIZED "
    "(SELECT (SELECT min(id) FROM chunks) AS first, (SELECT max(id) FROM chunks) AS last) "
    "SELECT vector_store_id FROM place, ends "
    "JOIN chunks ON id = first + (last - first) * at / :places"
)


def _of_stores(connection: Connection, scope: Scope) -> str:
    """Return the beginning of an FTS5 query that limits it to the vector stores of the scope.

    It is empty if most chunks belong to them: then the intersection with the list of their chunks costs more
    than the ranking of the others. The results are the same.
    """
    sample = connection.execute(_SAMPLE, {"places": _SAMPLED}).scalars().all()
    inside = sum(store in scope.vector_store_ids for store in sample)
    if 2 * inside > len(sample):
        return ""
    stores = " OR ".join(f'"{store_token(store)}"' for store in scope.vector_store_ids)
    return f"(store : ({stores})) AND "


def _term(word: str) -> str:
    return f'terms : "{word}"'


def _repeats(word: str) -> int:
    return NUMBER_WEIGHT if any(character.isdigit() for character in word) else 1


def _telling(having: Mapping[str, int], most: int) -> list[str]:
    """Return the rarest words, which are in at most `most` chunks together; one of them in any case."""
    chosen: list[str] = []
    ranked = 0
    for word in sorted((word for word, n in having.items() if n), key=lambda word: having[word]):
        ranked += having[word]
        if chosen and ranked > most:
            break
        chosen.append(word)
    return chosen


_POSTGRESQL = """
WITH matched AS MATERIALIZED (
    SELECT chunk_id, terms, words FROM chunk_terms
    WHERE chunk_id IN ({scope})
    AND terms @@ (SELECT string_agg(term::text, ' | ')::tsquery FROM ({terms}) AS any_of)
    LIMIT :most
),
stores AS (
    -- The mean length of the matched chunks, because that of all would be a scan of the vector stores.
    SELECT CAST(:total AS double precision) AS total, avg(words) AS usual FROM matched
),
places AS (
    -- For one word without weights, ts_rank is 0.1 * 6 / pi^2 * (1/1^2 + 1/2^2 + ... ), with one term per
    -- occurrence of the word in the chunk. This is the rest of the infinite series, whose sum is pi^2 / 6 ...
    SELECT chunk_id, words, term, pi() ^ 2 / 6 * (1 - 10 * ts_rank(terms, term)) AS missing
    FROM matched JOIN ({terms}) AS each_of ON terms @@ term
),
counts AS (
    -- ... and the rest is nearly 1 / (occurrences + 1/2), which gives the number of occurrences.
    SELECT chunk_id, words, term, round(1 / greatest(missing, 0.001) - 0.5) AS places FROM places
),
rarity AS (
    SELECT term,
        max(weight) * ln(1 + (max(total) - count(chunk_id) + 0.5) / (count(chunk_id) + 0.5)) AS weight
    FROM stores CROSS JOIN ({terms}) AS each_of LEFT JOIN counts USING (term) GROUP BY term
)
SELECT chunk_id,
    sum(weight * places / (places + 1.2 * (0.25 + 0.75 * words / usual)))
    / (SELECT sum(weight) + :omitted FROM rarity) AS score
FROM counts JOIN rarity USING (term), stores
GROUP BY chunk_id ORDER BY score DESC, chunk_id LIMIT :limit
"""
_TERMS = (
    "SELECT term, max(weight) AS weight "
    "FROM unnest(CAST(:words AS text[]), CAST(:weights AS integer[])) AS given (word, weight), "
    "plainto_tsquery('english', word) AS term WHERE numnode(term) > 0 GROUP BY term"
)
_SIZE = "SELECT count(*) FROM ({scope} LIMIT :most) AS counted"
_TOTAL = text("SELECT greatest(reltuples, :least) FROM pg_class WHERE oid = to_regclass('chunks')")
_HAVING = text(
    "SELECT word, (SELECT count(*) FROM "
    "(SELECT FROM chunk_terms WHERE terms @@ plainto_tsquery('english', word) LIMIT :most) AS counted) "
    "FROM unnest(CAST(:words AS text[])) AS word"
)


def _find_postgresql(connection: Connection, sought: list[str], scope: Scope, limit: int) -> dict[int, float]:
    chosen, given = scope.postgresql()
    most = {"most": _MOST_MATCHED}
    total = float(connection.execute(text(_SIZE.format(scope=chosen)), {**given, **most}).scalar_one())
    omitted = 0.0
    if total == _MOST_MATCHED:
        total = float(connection.execute(_TOTAL, {"least": total}).scalar_one())
        counted = connection.execute(_HAVING, {"words": sought, **most})
        having = {str(row[0]): int(row[1]) for row in counted}
        kept = _telling(having, _MOST_MATCHED) or sought
        for word in having.keys() - kept:
            if number := having[word]:
                omitted += _repeats(word) * math.log(1 + max(total - number, 0) / number)
        sought = [word for word in sought if word in kept or not having[word]]
    own: dict[str, JSON] = {
        "words": [*sought],
        "weights": [_repeats(word) for word in sought],
        "total": total,
        "omitted": omitted,
        "limit": limit,
    }
    query = text(_POSTGRESQL.format(scope=chosen, terms=_TERMS))
    found = connection.execute(query, {**given, **own, **most})
    return {chunk_id: min(float(score), 1.0) for chunk_id, score in found}
