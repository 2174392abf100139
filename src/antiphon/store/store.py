"""The store as the service sees it: one method for each thing that is kept or found."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

from sqlalchemy import Connection

from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.ids import new_id
from antiphon.store import servers
from antiphon.store.connect import open_engine, size_in_bytes
from antiphon.store.database import Database, Job
from antiphon.store.files import FileRecords
from antiphon.store.idempotency import IdempotencyRecords
from antiphon.store.keys import KeyRecords
from antiphon.store.migrations import migrate
from antiphon.store.prompts import PromptRecords
from antiphon.store.responses import chain, conversations, items, responses
from antiphon.store.rows import (
    ConversationContext,
    FinishedResponse,
    History,
    ItemPage,
    NewConversation,
    NewItem,
    NewResponse,
    ResponsePage,
    StoredConversation,
    StoredResponse,
)
from antiphon.store.servers import SecretRecords
from antiphon.store.vector_stores.chunks import ChunkRecords
from antiphon.store.vector_stores.vector_store_files import AttachmentRecords
from antiphon.store.vector_stores.vector_stores import VectorStoreRecords
from antiphon.wire.lists import PageQuery

_BEGIN, _STORE, _FINISH = 0, 1, 2
"""The ranks of the frequent writes. Those of one group go out together, a few statements for all."""


class Store:
    """Responses, conversations and their items, each with an owner whom every method asks for first.

    Files and vector stores have their own methods, on `files`, `vector_stores` and `attachments`.

    A write is committed when its method returns or its future resolves. What another owner has is not
    found, like what does not exist. Every method raises `StoreUnavailable` when the database fails.
    """

    def __init__(self, database: Database, server_id: str, clock: Callable[[], float]) -> None:
        self._database = database
        self._server_id = server_id
        self._clock = clock
        self.keys = KeyRecords(database)
        self.files = FileRecords(database, clock)
        self.vector_stores = VectorStoreRecords(database, clock)
        self.attachments = AttachmentRecords(database, server_id)
        self.chunks = ChunkRecords(database)
        self.prompts = PromptRecords(database)
        self.secrets = SecretRecords(database)
        self.idempotency = IdempotencyRecords(database, server_id, clock)
        self._beginning: dict[str, Job[object]] = {}
        self._held: dict[str, tuple[responses.Beginning, asyncio.TimerHandle]] = {}
        self._unended: set[str] = set()
        """Responses whose end could not be stored: they are running in the database, and may hold a lock."""

    @classmethod
    async def open(
        cls, url: str, *, server_id: str | None = None, clock: Callable[[], float] = time.time
    ) -> "Store":
        """Opens the database, making or migrating it where needed, and enters this server.

        `url` is `sqlite:///path`, a plain path, `:memory:` or `postgresql://user:password@host/database`.
        A `server_id` must be in use by one server at a time: what an earlier one of that id left running
        becomes failed here. Raises `ConfigError` and `StoreUnavailable` with words for the operator.
        """
        database = Database(open_engine(url))
        store = cls(database, server_id or new_id("server", 8), clock)
        try:
            await database.write(migrate)
            await database.write(lambda c: servers.join(c, store._server_id, clock()))
        except AntiphonError as error:
            await database.close()
            raise StoreUnavailable(f"{database.location}: {error.message}") from error
        return store

    @property
    def location(self) -> str:
        """The path or host and database, without user and password."""
        return self._database.location

    async def size(self) -> int:
        """Returns the size of the database in bytes."""
        return await self._database.read(size_in_bytes)

    async def close(self) -> None:
        """Commits all writes that wait, strikes this server out and ends threads and connections."""
        for response_id in list(self._held):
            self._begin_held(response_id)
        try:
            await self._database.write(lambda c: servers.leave(c, self._server_id))
        finally:
            await self._database.close()

    async def heartbeat(self) -> None:
        """Tells the other servers that this one is at work. Call it every few seconds."""
        await self._database.write(lambda c: servers.heartbeat(c, self._server_id, self._clock()))

    async def recover(self, silent_for: float) -> int:
        """Fails what servers left running that closed or were silent for `silent_for` seconds.

        Their responses get an error, their conversation locks are released; so do this server's responses
        whose end could not be stored. Returns how many responses. Call it at the start and now and then.
        """
        unended = tuple(self._unended)
        recovered = await self._database.write(
            lambda c: (
                servers.give_up(c, unended) + servers.recover(c, self._server_id, self._clock(), silent_for)
            )
        )
        self._unended.difference_update(unended)
        return recovered

    def begin_response(self, owner: str, new: NewResponse) -> asyncio.Future[None]:
        """Stores a response in progress and its input; need not be awaited.

        The future fails with `DuplicateItem` or `ItemNotFound`, and so does that of `finish_response` then.
        """
        return self._begin(responses.Beginning(owner, self._server_id, new))

    def begin_later(self, owner: str, new: NewResponse, seconds: float) -> None:
        """Begins a response that nobody knows of yet: it is written whole if it ends within `seconds`.

        Errors are those of `finish_response`.
        """
        beginning = responses.Beginning(owner, self._server_id, new)
        timer = asyncio.get_running_loop().call_later(seconds, self._begin_held, new.id)
        self._held[new.id] = beginning, timer

    def _begin_held(self, response_id: str) -> None:
        beginning, timer = self._held.pop(response_id)
        timer.cancel()
        self._begin(beginning)

    def _begin(self, beginning: responses.Beginning) -> asyncio.Future[None]:
        # Nobody waits for a beginning: the call to the backend goes first.
        job = self._database.enqueue(responses.begin_responses, beginning, rank=_BEGIN, patient=True)
        self._beginning[beginning.new.id] = job
        job.future.add_done_callback(_look_at_error)
        return job.future

    def finish_response(self, owner: str, finished: FinishedResponse) -> asyncio.Future[None]:
        """Stores how a response ended and its output; in one transaction also the rest that this means.

        A completed or incomplete response in a conversation adds its input and output to it; the
        conversation's lock is released in any case. A response deleted meanwhile leaves nothing. The write
        is under way when this returns, awaited or not. The future fails with what `begin_response` failed
        with, or with `DuplicateItem`; `recover` then stores that the response failed.
        """
        on_failure = partial(self._unended.add, finished.id)
        held = self._held.pop(finished.id, None)
        begun = self._beginning.pop(finished.id, None)
        patient = bool(self._held or self._beginning)  # Other responses are under way, and may end now.
        if held is not None:
            beginning, timer = held
            timer.cancel()
            whole = responses.Whole(beginning, finished)
            return self._database.enqueue(
                responses.store_responses, whole, rank=_STORE, patient=patient, on_failure=on_failure
            ).future
        return self._database.enqueue(
            responses.finish_responses,
            responses.Ending(owner, finished),
            rank=_FINISH,
            patient=patient,
            after=begun,
            on_failure=on_failure,
        ).future

    async def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        """Returns the response as it stands, or None."""
        await self._begun(response_id)
        return await self._database.read(lambda c: responses.get_response(c, owner, response_id))

    async def _begun(self, response_id: str) -> None:
        """Waits until a response whose id is known is there: nobody waits for its first write."""
        if response_id in self._held:
            self._begin_held(response_id)
        job = self._beginning.get(response_id)
        if job is not None:
            await asyncio.wait([job.future])

    async def list_responses(self, owner: str, query: PageQuery, *, model: str | None = None) -> ResponsePage:
        """Returns a page of responses by time of creation. Raises `CursorNotFound`."""
        return await self._database.read(lambda c: responses.list_responses(c, owner, query, model))

    async def delete_response(self, owner: str, response_id: str) -> bool:
        """Deletes the response and the items that nothing else links to; False if there is none."""
        return await self._database.write(lambda c: responses.delete_response(c, owner, response_id))

    async def response_input_items(self, owner: str, response_id: str, query: PageQuery) -> ItemPage | None:
        """Returns a page of the input, or None if there is no such response. Raises `CursorNotFound`."""
        await self._begun(response_id)
        return await self._database.read(lambda c: responses.list_input_items(c, owner, response_id, query))

    async def response_history(self, owner: str, response_id: str) -> History:
        """Returns what a follow-up of the response sees. Raises `PreviousResponseNotFound`."""
        await self._begun(response_id)
        return await self._database.read(lambda c: chain.response_history(c, owner, response_id))

    async def find_items(self, owner: str, ids: Collection[str]) -> dict[str, str]:
        """Returns the bodies of those of `ids` that are stored."""
        return await self._database.read(lambda c: items.find_items(c, owner, ids))

    async def create_conversation(self, owner: str, new: NewConversation) -> None:
        """Stores a conversation and its first items. Raises `DuplicateItem` and `ItemNotFound`."""
        await self._database.write(lambda c: conversations.create_conversation(c, owner, new))

    async def get_conversation(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """Returns the conversation, or None."""
        return await self._database.read(lambda c: conversations.get_conversation(c, owner, conversation_id))

    async def update_conversation(
        self, owner: str, conversation_id: str, metadata: str
    ) -> StoredConversation:
        """Replaces the metadata, a JSON text. Raises `ConversationNotFound`."""
        return await self._database.write(
            lambda c: conversations.update_conversation(c, owner, conversation_id, metadata)
        )

    async def delete_conversation(self, owner: str, conversation_id: str) -> bool:
        """Deletes the conversation, but not its items; False if there is none."""
        return await self._database.write(
            lambda c: conversations.delete_conversation(c, owner, conversation_id, self._clock())
        )

    async def add_items(
        self, owner: str, conversation_id: str, new: Sequence[NewItem], ids: Sequence[str]
    ) -> None:
        """Adds the items `ids` in this order, those in `new` and stored ones; all or nothing.

        Raises `ConversationNotFound`, `ItemAlreadyInConversation`, `DuplicateItem` and `ItemNotFound`.
        """
        await self._database.write(lambda c: conversations.add_items(c, owner, conversation_id, new, ids))

    async def list_items(self, owner: str, conversation_id: str, query: PageQuery) -> ItemPage:
        """Returns a page of a conversation. Raises `ConversationNotFound` and `CursorNotFound`."""
        return await self._database.read(lambda c: conversations.list_items(c, owner, conversation_id, query))

    async def get_item(self, owner: str, conversation_id: str, item_id: str) -> str | None:
        """Returns the item's body, or None if it is not in there. Raises `ConversationNotFound`."""
        return await self._database.read(lambda c: conversations.get_item(c, owner, conversation_id, item_id))

    async def delete_item(self, owner: str, conversation_id: str, item_id: str) -> bool:
        """Takes the item out, and deletes it if nothing else links to it; False if it was not there.

        Raises `ConversationNotFound`.
        """
        return await self._database.write(
            lambda c: conversations.delete_item(c, owner, conversation_id, item_id)
        )

    async def conversation_items(self, owner: str, conversation_id: str) -> ConversationContext:
        """Returns what a response in the conversation sees. Raises `ConversationNotFound`."""
        return await self._database.read(
            lambda c: conversations.conversation_context(c, owner, conversation_id)
        )

    async def lock_conversation(self, owner: str, conversation_id: str, response_id: str) -> None:
        """Keeps other responses out until `finish_response` or `unlock_conversation`, also across processes.

        Raises `ConversationLocked` and `ConversationNotFound`.
        """
        unended = tuple(self._unended)

        def lock(connection: Connection) -> None:
            if unended:
                servers.give_up(connection, unended)
            conversations.lock_conversation(connection, owner, conversation_id, response_id, self._server_id)

        await self._database.write(lock)
        self._unended.difference_update(unended)

    async def unlock_conversation(self, response_id: str) -> None:
        """Releases the lock of a response that was not begun after all."""
        await self._database.write(lambda c: conversations.release_locks(c, [response_id]))


def _look_at_error(future: asyncio.Future[None]) -> None:
    """Tells asyncio that the error is not lost: `finish_response` fails with it as well."""
    if not future.cancelled():
        future.exception()
