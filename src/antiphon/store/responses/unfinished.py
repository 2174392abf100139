"""Responses that stay in progress because their end was not stored."""

from collections.abc import Collection

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from antiphon.store.responses.locks import release_locks_where
from antiphon.store.tables import DURABLE, conversations, is_running, responses
from antiphon.wire.json import JSONObject

_FAIL = (
    update(responses)
    .where(responses.c.id == bindparam("response_id"), is_running)
    .values(status="failed", body=bindparam("new_body"))
)


def fail_unfinished(connection: Connection, response_ids: Collection[str]) -> int:
    """Fail the responses that are in progress; release the conversation locks of all.

    Background responses and their locks stay as they are.

    Returns:
        How many responses were in progress.
    """
    return fail_where(
        connection,
        responses.c.id.in_(response_ids) & (responses.c.server_id != DURABLE),
        conversations.c.locked_by.in_(response_ids) & (conversations.c.locked_server != DURABLE),
    )


def fail_where(connection: Connection, left: ColumnElement[bool], locked: ColumnElement[bool]) -> int:
    """Fail responses that are in progress and release locks, by conditions.

    `left` is the condition on `responses`, and `locked` the condition on `conversations`.

    Returns:
        How many responses were in progress.
    """
    running = select(responses.c.id, responses.c.body).where(is_running, left)
    left_running = connection.execute(running).all()
    # One at a time: the statuses that `is_running` compares with are written into the SQL.
    for response_id, body in left_running:
        connection.execute(_FAIL, {"response_id": response_id, "new_body": _failed(body)})
    release_locks_where(connection, locked)
    return len(left_running)


def _failed(body: str) -> str:
    response = msgspec.json.decode(body, type=JSONObject)
    response["status"] = "failed"
    response["completed_at"] = None
    response["error"] = {
        "code": "server_error",
        "message": "The server stopped before the end of the response was stored.",
    }
    return msgspec.json.encode(response).decode()
