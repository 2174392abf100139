"""Finds chunks by words: BM25, of SQLite's FTS5 or worked out over PostgreSQL's full text."""

import math
import re

from sqlalchemy import Connection, text

from antiphon.wire.json import JSON

MAX_WORDS = 64
"""How many different words of a query are looked for."""
_SATURATION = 1.2
"""BM25's k1, as FTS5 has it (sqlite.org/fts5.html, 4.3.1)."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Runs of letters of languages that write without spaces, and Korean, whose particles cling to words."""
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
"""Words that say nothing of what a text is about; PostgreSQL's `english` leaves out about the same."""


def words(written: str) -> list[str]:
    """Returns the words of a text in order, in lower case: letters and digits, and nothing else.

    Where a language writes without spaces, each two neighbouring characters are a word.
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
    """Returns the ids of the chunks in `scope` that have words of `query`, each with its score.

    A score is the part of BM25's sum that a chunk would have which is full of every word: at most 1, and
    about 0.45 for a chunk of usual length that has each word once. `scope` is an SQL query for ids of chunks
    with the parameters `given`; those of `stores` are in there.
    """
    sought = list(dict.fromkeys(words(query)))
    sought = ([word for word in sought if word not in _COMMON] or sought)[:MAX_WORDS]
    if not sought:
        return {}
    find = _find_sqlite if connection.dialect.name == "sqlite" else _find_postgresql
    return find(connection, sought, scope, given, limit)


def store_token(vector_store_id: str) -> str:
    """Returns the id of a vector store as one word of the index on SQLite."""
    return re.sub(r"[^0-9a-z]", "", vector_store_id.lower())


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(len(run) - 1, 1))]


def _find_sqlite(
    connection: Connection, sought: list[str], scope: str, given: dict[str, JSON], limit: int
) -> dict[int, float]:
    # Words hold letters and digits alone: in quotes there is nothing in them that FTS5 could take for syntax.
    terms = [f'terms : "{word}"' for word in sought]
    stores = " OR ".join(f'"{store_token(store)}"' for store in given["stores"])
    found = connection.execute(
        text(
            # The store's column weighs nothing: it only says where to look. The + keeps SQLite from asking
            # the index for each row of the scope, one by one (sqlite.org/optoverview.html).
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
        # As FTS5 has it: a word that half of all chunks have counts next to nothing, but never less.
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
    -- For one word without weights, ts_rank is 0.1 * 6 / pi^2 * (1/1^2 + 1/2^2 + ... ), as many of them as
    -- the word has places in the chunk. This is what is missing of the whole series, which is pi^2 / 6 ...
    SELECT chunk_id, words, term, pi() ^ 2 / 6 * (1 - 10 * ts_rank(terms, term)) AS missing
    FROM matched JOIN ({terms}) AS each_of ON terms @@ term
),
counts AS (
    -- ... and nearly 1 / (places + 1/2): it tells how often the word is there.
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
