"""Checks of the answer to a bad input, and of the unchanged database."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from antiphon.wire.json import JSON
from tests.server.client import Reply


class Bad(NamedTuple):
    """A body, and the error that it gives."""

    body: JSON | bytes
    param: str | None
    code: str | None
    status: int = 400
    says: str = ""
    """How the message begins."""


def rows(database: Path, *, running: int = 0) -> dict[str, int]:
    """Return the number of rows of each table but the log of refusals, and of locked conversations.

    The function waits until at most `running` responses are in progress, because a response is stored a
    moment after its client disconnected.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        unfinished = "SELECT count(*) FROM responses WHERE status IN ('queued', 'in_progress')"
        until = time.monotonic() + 10
        while connection.execute(unfinished).fetchone()[0] > running and time.monotonic() < until:
            time.sleep(0.01)
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name != "log_entries"
        ]
        count = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
        locked = "SELECT count(*) FROM conversations WHERE locked_by IS NOT NULL"
        return count | {"locked": connection.execute(locked).fetchone()[0]}


def check(answer: Reply, bad: Bad) -> None:
    assert answer.status == bad.status
    error = answer.error
    assert (error["param"], error["code"]) == (bad.param, bad.code)
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(bad.says)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
