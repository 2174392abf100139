"""Keyword search over chunks with BM25: SQLite's FTS5, or SQL for PostgreSQL."""

import math
import re

from sqlalchemy import Connection, text

from antiphon.wire.json import JSON

MAX_WORDS = 64
"""The most different words of a query to search for."""
_SATURATION = 1.2
"""BM25's k1, with the value of FTS5 (https://sqlite.org/fts5.html, 4.3.1)."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Letters of languages without spaces, and of Korean, whose words have suffixes."""
_COMMON = frozenset(
    {
        *("a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been"),
        *("before", "but", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has", "have"),
        *("he", "her", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "no"),
        *("not", "of", "on", "or", "our", "she", "should", "so", "some", "such", "than", "that", "the"),
        *("their", "them", "then", "there", "these", "they", "this", "to", "was", "we", "were", "what"),
        *("when", "where", "which", "who", "whom", "why", "will", "with", "would", "you", "your"),
    }
)
"""Stop words, similar to those of PostgreSQL's `english` configuration."""


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


def find_words(
    connection: Connection, query: str, scope: str, given: dict[str, JSON], limit: int
) -> dict[int, float]:
    """Return the chunks with words of `query`, with their scores.

    A score is BM25's sum divided by that of a chunk full of every word. It is at most 1, and about 0.45 for a
    chunk of average length that has each word once.

    Args:
        connection: The connection to use.
        query: The text to search for.
        scope: SQL query for the IDs of the chunks to search.
        given: Parameters of `scope`, including `stores`.
        limit: The most chunks to return.
    """
    sought = list(dict.fromkeys(words(query)))
    sought = ([word for word in sought if word not in _COMMON] or sought)[:MAX_WORDS]
    if not sought:
        return {}
    find = _find_sqlite if connection.dialect.name == "sqlite" else _find_postgresql
    return find(connection, sought, scope, given, limit)


def store_token(vector_store_id: str) -> str:
    """Return the ID of a vector store as one word of SQLite's index."""
    return re.sub(r"[^0-9a-z]", "", vector_store_id.lower())


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(len(run) - 1, 1))]


def _find_sqlite(
    connection: Connection, sought: list[str], scope: str, given: dict[str, JSON], limit: int
) -> dict[int, float]:
    # Words have only letters and digits, so that FTS5 finds no syntax inside the quotes.
    terms = [f'terms : "{word}"' for word in sought]
    stores = " OR ".join(f'"{store_token(store)}"' for store in given["stores"])
    found = connection.execute(
        text(
            # The store's column has weight 0 and only limits the search. The + stops SQLite from querying the
            # index separately for each row of the scope (https://sqlite.org/optoverview.html).
            f"SELECT rowid, -bm25(chunk_terms, 0.0, 1.0) FROM chunk_terms "  # noqa: S608
            f"WHERE chunk_terms MATCH :words AND +rowid IN ({scope}) ORDER BY 2 DESC LIMIT :limit"
        ),
        {**given, "words": f"(store : ({stores})) AND ({' OR '.join(terms)})", "limit": limit},
    ).all()
    if not found:
        return {}
    total = int(connection.execute(text("SELECT count(*) FROM chunks")).scalar_one())
    count = text("SELECT count(*) FROM chunk_terms WHERE chunk_terms MATCH :words")
    ideal = 0.0
    for term in terms:
        having = int(connection.execute(count, {"words": term}).scalar_one())
        # FTS5's formula: a word in half of all chunks or more has almost no weight, but never a negative one.
        ideal += max(math.log((total - having + 0.5) / (having + 0.5)), 1e-6) if having else 0.0
    ideal = ideal * (_SATURATION + 1)
    return {chunk_id: min(score / ideal, 1.0) for chunk_id, score in found}


_POSTGRESQL = """
WITH matched AS MATERIALIZED (
    SELECT chunk_id, terms, words FROM chunk_terms
    WHERE chunk_id IN ({scope})
    AND terms @@ (SELECT string_agg(term::text, ' | ')::tsquery FROM ({terms}) AS any_of)
),
stores AS (
    SELECT count(*) AS total, avg(words) AS usual
    FROM chunk_terms JOIN chunks ON id = chunk_id
    WHERE vector_store_id IN (SELECT json_array_elements_text(CAST(:store_list AS json)))
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
    SELECT term, ln(1 + (max(total) - count(*) + 0.5) / (count(*) + 0.5)) AS weight
    FROM counts, stores GROUP BY term
)
SELECT chunk_id,
    sum(weight * places / (places + 1.2 * (0.25 + 0.75 * words / usual)))
    / (SELECT sum(weight) FROM rarity) AS score
FROM counts JOIN rarity USING (term), stores
GROUP BY chunk_id ORDER BY score DESC, chunk_id LIMIT :limit
"""
_TERMS = (
    "SELECT term FROM unnest(CAST(:words AS text[])) AS word, plainto_tsquery('english', word) AS term "
    "WHERE numnode(term) > 0 GROUP BY term"
)


def _find_postgresql(
    connection: Connection, sought: list[str], scope: str, given: dict[str, JSON], limit: int
) -> dict[int, float]:
    found = connection.execute(
        text(_POSTGRESQL.format(scope=scope, terms=_TERMS)), {**given, "words": sought, "limit": limit}
    )
    return {chunk_id: min(float(score), 1.0) for chunk_id, score in found}
