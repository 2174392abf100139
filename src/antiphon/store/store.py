"""The store: opens and closes the database and holds its record classes."""

import time
from collections.abc import Callable, Mapping

from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.ids import new_id
from antiphon.store.batches.batches import BatchRecords
from antiphon.store.chat.completions import CompletionRecords
from antiphon.store.connect import Synchronous, explain_to_operator, open_engine, size_in_bytes
from antiphon.store.containers.containers import ContainerRecords
from antiphon.store.database import Database, Timing
from antiphon.store.deletions.queue import Kind, Step
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.files import FileRecords
from antiphon.store.idempotency import IdempotencyRecords
from antiphon.store.keys import KeyRecords
from antiphon.store.log.records import LogRecords
from antiphon.store.migrations import MIGRATIONS, migrate
from antiphon.store.models import ModelRecords
from antiphon.store.prompts import PromptRecords
from antiphon.store.responses.conversations import ConversationRecords
from antiphon.store.responses.items import ItemRecords
from antiphon.store.responses.overview import OverviewRecords
from antiphon.store.responses.pending import PendingResponses
from antiphon.store.responses.removal import remove_response, trim_conversation
from antiphon.store.responses.responses import ResponseRecords
from antiphon.store.retention.records import ExpiryRecords
from antiphon.store.runs.runs import RunRecords
from antiphon.store.servers import Member, SecretRecords, ServerRecords
from antiphon.store.sharing.notices import QUEUE, Notices
from antiphon.store.sharing.usage import UsageRecords
from antiphon.store.uploads.uploads import UploadRecords
from antiphon.store.vector_stores.chunks import ChunkRecords
from antiphon.store.vector_stores.removal import remove_detached_files, remove_file, remove_vector_store
from antiphon.store.vector_stores.vector_store_files import AttachmentRecords
from antiphon.store.vector_stores.vector_stores import VectorStoreRecords
from antiphon.store.webhooks.webhooks import WebhookRecords

_REMOVALS: Mapping[Kind, Step] = {
    "conversation": trim_conversation,
    "detached_files": remove_detached_files,
    "file": remove_file,
    "response": remove_response,
    "vector_store": remove_vector_store,
}


class Store:
    """All records in one database; each attribute has the methods for one kind.

    Records belong to owners. A record of another owner is not found, like one that does not exist. A write
    is committed when its method returns or its future resolves. Every method of every attribute raises
    `StoreUnavailable` if the database fails.
    """

    def __init__(self, database: Database, member: Member, clock: Callable[[], float]) -> None:
        self._database = database
        server_id = member.id
        self.pending = PendingResponses(database, server_id)
        self.deletions = DeletionRecords(database, _REMOVALS)
        self.responses = ResponseRecords(database, self.pending, self.deletions, clock)
        self.webhooks = WebhookRecords(database, server_id, clock)
        self.runs = RunRecords(database, self.pending, self.webhooks, server_id, clock)
        self.log = LogRecords(database)
        self.conversations = ConversationRecords(database, self.pending, self.deletions, server_id, clock)
        self.items = ItemRecords(database)
        self.overview = OverviewRecords(database)
        self.servers = ServerRecords(database, self.pending, member, clock)
        self.secrets = SecretRecords(database)
        self.keys = KeyRecords(database)
        self.files = FileRecords(database, self.deletions, clock)
        self.vector_stores = VectorStoreRecords(database, self.deletions, clock)
        self.attachments = AttachmentRecords(database, self.deletions, server_id)
        self.chunks = ChunkRecords(database)
        self.expiry = ExpiryRecords(database, self.deletions, clock)
        self.uploads = UploadRecords(database, clock)
        self.completions = CompletionRecords(database)
        self.containers = ContainerRecords(database, clock)
        self.models = ModelRecords(database)
        self.prompts = PromptRecords(database)
        self.idempotency = IdempotencyRecords(database, server_id, clock)
        self.batches = BatchRecords(database, server_id, self.webhooks, clock)
        self.usage = UsageRecords(database, server_id, clock, self.servers.has_company)
        self.notices = Notices(database, server_id, self.servers.has_company)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        member: Member | None = None,
        clock: Callable[[], float] = time.time,
        synchronous: Synchronous = "normal",
        timing: Timing | None = None,
    ) -> "Store":
        """Open the database, bring its tables up to date and register this server.

        Args:
            url: `sqlite:///path`, a plain path, `:memory:` or `postgresql://user:password@host/database`.
            member: This server; None for one with a random ID.
            clock: Returns the time in seconds since 1970.
            synchronous: When SQLite waits for the disk.
            timing: Receives the duration of each transaction; None for no measurement.

        Raises:
            ConfigError: The URL cannot be used. The message is for the operator.
            StoreUnavailable: The database cannot be used. The message is for the operator.
        """
        database = Database(open_engine(url, synchronous), timing)
        store = cls(database, member or Member(id=new_id("server", 8)), clock)
        try:
            await database.write(lambda connection: migrate(connection, MIGRATIONS))
            await store.servers.join()
        except AntiphonError as error:
            await database.close()
            raise StoreUnavailable(f"{database.location}: {explain_to_operator(error)}") from error
        return store

    @property
    def location(self) -> str:
        """Path, or host and name, of the database, without user and password."""
        return self._database.location

    async def size(self) -> int:
        """Return the size of the database in bytes."""
        return await self._database.read(size_in_bytes)

    async def close(self) -> None:
        """Commit all queued writes, deregister this server and close the database."""
        self.pending.flush()
        try:
            await self.servers.leave()
            # Background responses that this server has left wait for another one.
            self.notices.send(QUEUE)
            await self.notices.flush()
        finally:
            await self._database.close()
