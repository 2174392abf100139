"""Many rows in the shape of real ones, written through the store.

A response has an input item and an output item of about 200 tokens, and a
chunk has 120 words and a vector of 384 numbers.
"""

import asyncio
import json
import random
from array import array
from collections.abc import Awaitable, Callable
from itertools import product

from sqlalchemy import text

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.store import Store
from antiphon.store.responses.rows import FinishedResponse, NewConversation, NewItem, NewResponse
from antiphon.store.vector_stores.chunks import NewChunk
from antiphon.store.vector_stores.rows import AttachedFile, Attachment, NewVectorStore, StoredFile

MODEL = "openai/burst-1"
"""The model of nearly all responses."""
RARE = "openai/paced-50-20"
"""The model of one response."""
CHUNKS_PER_FILE = 10
"""The chunks of a file in a vector store."""
DIMENSIONS = 384
"""The length of a vector."""

_AT_ONCE = 256
"""Writes that are queued together, so that they share a transaction."""
_TEXT = "The ferry to the island leaves every hour, and the last one returns at ten in the evening. " * 9
_WORDS = ["".join(letters) for letters in product("aeinorstl", repeat=4)][:5000]
_EMPTY: dict[str, object] = {
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "output": [],
    "usage": {
        "input_tokens": 200,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 200,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 400,
    },
}
"""The fields of a response that all have in common."""


def response_id(number: int) -> str:
    """Return the ID of a stored response; like real ones, later ones sort after earlier ones."""
    return f"resp_{number:048x}"


def file_id(vector_store_id: str, number: int) -> str:
    """Return the ID of a file in a vector store."""
    return f"file-{vector_store_id}-{number:08x}"


def frequent(number: int) -> str:
    """Return three of the most frequent words of chunks."""
    return " ".join(_WORDS[(number + step) % 50] for step in (0, 7, 23))


async def responses(store: Store, first: int, last: int) -> None:
    """Store the responses with these numbers, of which the first one has another model."""

    async def one(number: int) -> None:
        its_id, created = response_id(number), float(1_700_000_000 + number)
        model = RARE if number == 0 else MODEL
        body = _EMPTY | {"id": its_id, "object": "response", "created_at": int(created), "model": model}
        item = _message(f"msg_{number:047x}i", "user", "input_text")
        new = NewResponse(
            id=its_id,
            created_at=created,
            model=model,
            body=json.dumps(body | {"status": "in_progress", "completed_at": None}),
            input_new=[item],
            input_ids=[item.id],
        )
        finished = FinishedResponse(
            id=its_id,
            status="completed",
            completed_at=created,
            body=json.dumps(body | {"status": "completed", "completed_at": int(created)}),
            output=[_message(f"msg_{number:047x}o", "assistant", "output_text")],
        )
        store.pending.begin_later(LOCAL_OWNER, new, 60)
        await store.pending.finish(LOCAL_OWNER, finished)

    await _together(one, first, last)


async def conversation(store: Store, conversation_id: str, items: int) -> None:
    """Store a conversation with so many items."""
    new = NewConversation(id=conversation_id, created_at=1.0, metadata="{}", items=[], item_ids=[])
    await store.conversations.create(LOCAL_OWNER, new)
    for first in range(0, items, 500):
        some = [
            _message(f"msg_{conversation_id}_{number:08x}", "user", "input_text")
            for number in range(first, min(first + 500, items))
        ]
        ids = [item.id for item in some]
        await store.conversations.add_items(LOCAL_OWNER, conversation_id, some, ids)


async def vector_store(store: Store, vector_store_id: str) -> None:
    """Store an empty vector store."""
    new = NewVectorStore(
        id=vector_store_id,
        created_at=1.0,
        name=vector_store_id,
        metadata="{}",
        expires_after_days=None,
        embedding_model=None,
        embedding_dimension=None,
    )
    await store.vector_stores.create(LOCAL_OWNER, new)


async def chunks(store: Store, vector_store_id: str, first: int, last: int) -> None:
    """Store the chunks with these numbers in a vector store, ten per file."""
    chosen = random.Random(first)
    weights = [1 / rank for rank in range(1, len(_WORDS) + 1)]

    async def one(number: int) -> None:
        attached = await _attached(store, vector_store_id, number)
        new = [
            NewChunk(
                " ".join(chosen.choices(_WORDS, weights, k=119)) + f" detail{number}",
                array("f", (chosen.gauss(0.0, 1.0) for _ in range(DIMENSIONS))).tobytes(),
            )
            for _ in range(CHUNKS_PER_FILE)
        ]
        await store.chunks.replace(vector_store_id, attached.file_id, attached.attempt, new)
        await store.attachments.finish(attached, 10_000)

    await _together(one, first // CHUNKS_PER_FILE, last // CHUNKS_PER_FILE, at_once=16)


async def expired_keys(store: Store, number: int) -> None:
    """Store idempotency keys that expired long ago, each with a response of 4 KB."""
    rows = [{"owner": LOCAL_OWNER, "key": f"{each:064x}", "answer": b"x" * 4000} for each in range(number)]
    add = text(
        "INSERT INTO idempotency_keys (owner, key_hash, created_at, server_id, answer) "
        "VALUES (:owner, :key, 1.0, 'bench', :answer)"
    )
    for first in range(0, number, 1000):
        await store._database.write(lambda c, at=first: c.execute(add, rows[at : at + 1000]))  # type: ignore[misc]


async def _attached(store: Store, vector_store_id: str, number: int) -> AttachedFile:
    its_id = file_id(vector_store_id, number)
    file = StoredFile(
        id=its_id,
        created_at=float(number),
        expires_at=None,
        purpose="assistants",
        filename=f"{number}.txt",
        media_type="text/plain",
        bytes=10_000,
    )
    await store.files.add(LOCAL_OWNER, file)
    attachment = Attachment(
        file_id=its_id, created_at=float(number), attributes="{}", max_chunk_size=800, chunk_overlap=400
    )
    return (await store.attachments.attach(vector_store_id, [attachment]))[0]


async def _together(
    one: Callable[[int], Awaitable[None]], first: int, last: int, at_once: int = _AT_ONCE
) -> None:
    for start in range(first, last, at_once):
        await asyncio.gather(*[one(number) for number in range(start, min(start + at_once, last))])


def _message(item_id: str, role: str, kind: str) -> NewItem:
    part: dict[str, object] = {"type": kind, "text": f"{item_id}: {_TEXT}"}
    if kind == "output_text":
        part |= {"annotations": [], "logprobs": []}
    body = {"id": item_id, "type": "message", "status": "completed", "role": role, "content": [part]}
    return NewItem(item_id, "message", json.dumps(body))
