"""Notices between the servers of a PostgreSQL database, by LISTEN and NOTIFY.

A notice is a hint to look at the database at once. It can get lost, so a receiver also looks now and then.
SQLite has no notices: processes that share a file look more often.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy import Connection, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from antiphon.errors import AntiphonError
from antiphon.store.database import Database

log = logging.getLogger(__name__)

QUEUE = "queue"
"""Notice that a background response waits for a server."""
_CHANNEL = "antiphon"
_GAP = 0.005
"""Seconds between two transactions that send notices; they collect in the meantime."""
_PAUSE = 2.0
"""Seconds before another attempt to listen."""
_NOTIFY = text("SELECT pg_notify(:channel, notice) FROM unnest(CAST(:notices AS text[])) AS notice")
_LISTEN = text(f"LISTEN {_CHANNEL}")


class Notices:
    """The notices that this server sends and receives.

    They go through transactions of their own. In the transactions of the writes that they tell about, they
    would make all servers commit one after another.
    """

    def __init__(self, database: Database, server_id: str, has_company: Callable[[], bool]) -> None:
        self._database = database
        self._server_id = server_id
        self._has_company = has_company
        self._waiting: dict[str, None] = {}
        self._sending: asyncio.Task[None] | None = None
        self.is_listening = False
        """Whether notices of other servers arrive."""

    def send(self, notice: str) -> None:
        """Send a notice to the other servers, if there are any."""
        if not self._database.is_postgresql or not self._has_company():
            return
        self._waiting[notice] = None
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def flush(self) -> None:
        """Wait until all notices are sent."""
        if self._sending is not None:
            await self._sending

    async def listen(self, receive: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Receive the notices of other servers until the task is cancelled; return at once on SQLite.

        Args:
            receive: Called with each notice.
            missed: Called when notices may have been lost.
        """
        while self._database.is_postgresql:
            try:
                async with self._listening(receive) as ended:
                    missed()
                    await ended
            except (AntiphonError, SQLAlchemyError, OSError) as error:
                log.warning("Failed to listen for notices of other servers: %s", error)
            except NotImplementedError:  # An event loop that can't watch a file descriptor, as on Windows
                return
            await asyncio.sleep(_PAUSE)

    async def _send(self) -> None:
        while self._waiting:
            notices = [f"{self._server_id} {notice}" for notice in self._waiting]
            self._waiting.clear()
            try:
                await self._database.read(partial(_notify, notices))
            except AntiphonError as error:
                log.info("Failed to send notices to other servers: %s", error.message)
            await asyncio.sleep(_GAP)

    @asynccontextmanager
    async def _listening(self, receive: Callable[[str], None]) -> AsyncGenerator[asyncio.Future[None], None]:
        """Listen until the block ends; yield a future that fails when the connection does."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        connection = await self._database.connect()
        try:
            driver = await asyncio.to_thread(_listen, connection)
            descriptor: int = driver.fileno()

            def arrived() -> None:
                try:
                    notices = [notify.payload for notify in driver.notifies(timeout=0)]
                except connection.dialect.loaded_dbapi.Error as error:
                    loop.remove_reader(descriptor)
                    ended.set_exception(OSError(str(error).strip()))
                    return
                for notice in notices:
                    sender, _, what = notice.partition(" ")
                    if sender != self._server_id:
                        receive(what)

            loop.add_reader(descriptor, arrived)
            self.is_listening = True
            try:
                yield ended
            finally:
                self.is_listening = False
                loop.remove_reader(descriptor)
        finally:
            await asyncio.to_thread(connection.close)


def _listen(connection: Connection) -> DBAPIConnection:
    """Begin to listen, and return the driver's connection."""
    driver: DBAPIConnection | None = connection.connection.driver_connection
    assert driver is not None
    connection.detach()  # It never returns to the pool, where it would go on listening.
    connection.execute(_LISTEN)
    return driver


def _notify(notices: list[str], connection: Connection) -> None:
    connection.execute(_NOTIFY, {"channel": _CHANNEL, "notices": notices})
    connection.commit()
