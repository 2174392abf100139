"""The queue of batches: submission, claims, changes of their status."""

from collections.abc import Callable, Collection

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy import text as sql

from antiphon.store.batches.rows import BatchEnd, BatchLimits, ClaimedBatch, LineResult, LineStep, NewBatch
from antiphon.store.batches.tables import batch_lines, batch_steps, batches, is_open
from antiphon.store.files import file_row
from antiphon.store.responses.writes import Insert
from antiphon.store.runs.rows import Fenced
from antiphon.store.tables import files, is_left

_LOCK = 0x616E7472
"""The key of PostgreSQL's advisory lock: one server claims at a time, so that limits hold."""
_SLICE = 500
"""Lines of an ended batch that are deleted per transaction."""
_is_queued = batches.c.state == literal_column("'queued'")
_is_running = batches.c.state == literal_column("'running'")
_insert_lines = Insert(batch_lines)
_keep_steps = Insert(batch_steps, "ON CONFLICT (batch_id, number, name) DO UPDATE SET body = excluded.body")
_DELETE_STEPS = delete(batch_steps).where(
    batch_steps.c.batch_id == bindparam("the_batch"),
    batch_steps.c.number.in_(bindparam("numbers", expanding=True)),
)


def submit(connection: Connection, owner: str, new: NewBatch, now: float) -> None:
    """Store a batch, and queue it."""
    row = {
        "id": new.id,
        "owner": owner,
        "created_at": new.created_at,
        "deadline": now + new.seconds,
        "state": "queued",
        "epoch": 0,
        "is_cancelled": False,
        "body": new.body,
        "context": new.context,
        "output_seconds": new.output_seconds,
        "total": 0,
        "completed": 0,
        "failed": 0,
    }
    connection.execute(insert(batches), row)


def waiting(server_id: str, active: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a batch is queued, or belongs to no server that executes it."""
    left = is_left(batches.c.holder, server_id) & _is_running & batches.c.id.not_in(active)
    return select(batches.c.id).where(is_open, or_(_is_queued, left)).exists()


def claim(
    connection: Connection, server_id: str, active: Collection[str], limits: BatchLimits, now: float
) -> ClaimedBatch | None:
    """Give this server the next batch: first one that no server executes any more, then a queued one.

    Of queued ones, that of the owner with the fewest comes first. An expired one doesn't wait for others.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    left = (
        select(batches.c.id)
        .where(is_open, _is_running, batches.c.id.not_in(active), is_left(batches.c.holder, server_id))
        .order_by(batches.c.created_at)
        .limit(1)
    )
    batch_id = connection.execute(left).scalar() or _next_queued(connection, limits, now)
    if batch_id is None:
        return None
    taken = (
        update(batches)
        .where(batches.c.id == batch_id)
        .values(state="running", holder=server_id, epoch=batches.c.epoch + 1)
        .returning(
            batches.c.id,
            batches.c.owner,
            batches.c.epoch,
            batches.c.is_cancelled,
            (batches.c.deadline - now).label("remaining"),
            batches.c.body,
            batches.c.context,
            batches.c.output_seconds,
            batches.c.total,
        )
    )
    return ClaimedBatch(**connection.execute(taken).one()._asdict())


def _next_queued(connection: Connection, limits: BatchLimits, now: float) -> str | None:
    running = select(batches.c.owner, func.count()).where(is_open, _is_running).group_by(batches.c.owner)
    by_owner: dict[str, int] = dict(connection.execute(running).all())
    place = func.row_number().over(
        partition_by=batches.c.owner, order_by=(batches.c.created_at, batches.c.id)
    )
    ranked = (
        select(batches.c.id, batches.c.owner, batches.c.created_at, batches.c.deadline, place.label("place"))
        .where(is_open, _is_queued)
        .subquery()
    )
    first = select(ranked).where(or_(ranked.c.place == 1, ranked.c.deadline < now))
    found = [
        (row.deadline >= now, by_owner.get(row.owner, 0), row.created_at, row.id)
        for row in connection.execute(first)
        if row.deadline < now or by_owner.get(row.owner, 0) < limits.per_owner
    ]
    return min(found)[3] if found else None


def held(connection: Connection, server_id: str, active: Collection[str]) -> dict[str, bool]:
    """Return the batches that this server still executes, each with whether it is to be cancelled."""
    found = select(batches.c.id, batches.c.is_cancelled).where(
        batches.c.id.in_(active), is_open, _is_running, batches.c.holder == server_id
    )
    return dict(connection.execute(found).all())


def write_lines(connection: Connection, results: list[LineResult]) -> None:
    """Store the results of finished lines, and count them.

    Raises:
        Fenced: Another execution has replaced one of theirs.
    """
    by_batch: dict[tuple[str, int], list[LineResult]] = {}
    for result in results:
        by_batch.setdefault((result.batch_id, result.epoch), []).append(result)
    for (batch_id, epoch), some in by_batch.items():
        failed = sum(result.is_error for result in some)
        usages = [result.usage for result in some]
        counted = _held_by(batch_id, epoch).values(
            completed=batches.c.completed + len(some) - failed,
            failed=batches.c.failed + failed,
            input_tokens=batches.c.input_tokens + sum(usage.input_tokens for usage in usages),
            cached_tokens=batches.c.cached_tokens
            + sum(usage.input_tokens_details.cached_tokens for usage in usages),
            output_tokens=batches.c.output_tokens + sum(usage.output_tokens for usage in usages),
            reasoning_tokens=batches.c.reasoning_tokens
            + sum(usage.output_tokens_details.reasoning_tokens for usage in usages),
        )
        _pass_fence(connection, counted, batch_id)
        numbers = {"the_batch": batch_id, "numbers": [result.number for result in some]}
        connection.execute(_DELETE_STEPS, numbers)
    rows = [(result.batch_id, result.number, result.is_error, result.body) for result in results]
    _insert_lines(connection, rows)


def write_steps(connection: Connection, steps: list[LineStep]) -> None:
    """Store finished calls of lines.

    Raises:
        Fenced: Another execution has replaced one of theirs.
    """
    for batch_id, epoch in {(step.batch_id, step.epoch) for step in steps}:
        _pass_fence(connection, _held_by(batch_id, epoch).values(epoch=epoch), batch_id)
    _keep_steps(connection, [(step.batch_id, step.number, step.name, step.body) for step in steps])


def change(
    connection: Connection, batch: ClaimedBatch, changed: Callable[[str], str], counts: dict[str, int]
) -> str:
    """Change the object and the counts of a batch; return the new object.

    Raises:
        Fenced: Another execution has replaced this one.
    """
    # The update locks the row, so that nothing cancels the batch before the second update.
    _pass_fence(connection, _held_by(batch.id, batch.epoch).values(epoch=batch.epoch), batch.id)
    mine = batches.c.id == batch.id
    body = changed(connection.execute(select(batches.c.body).where(mine)).scalar_one())
    connection.execute(update(batches).where(mine).values({"body": body, **counts}))
    return body


def end(connection: Connection, batch: ClaimedBatch, ended: BatchEnd, now: float) -> None:
    """Store the final status of a batch, and the records of its files.

    Raises:
        Fenced: Another execution has replaced this one.
    """
    change(connection, batch, ended.changed, {"failed": ended.failed})
    for file in ended.files:
        connection.execute(insert(files), file_row(batch.owner, file, now))


def close(connection: Connection, batch: ClaimedBatch) -> bool:
    """Delete some results of a batch, whose files contain them, or end its execution.

    Returns:
        Whether results are left.

    Raises:
        Fenced: Another execution has replaced this one.
    """
    mine = batch_lines.c.batch_id == batch.id
    some = select(batch_lines.c.number).where(mine).limit(_SLICE)
    if connection.execute(delete(batch_lines).where(mine, batch_lines.c.number.in_(some))).rowcount:
        return True
    connection.execute(delete(batch_steps).where(batch_steps.c.batch_id == batch.id))
    over = {"state": "ended", "holder": None}
    _pass_fence(connection, _held_by(batch.id, batch.epoch).values(over), batch.id)
    return False


def cancel(
    connection: Connection, owner: str, batch_id: str, changed: Callable[[str], str | None]
) -> str | None:
    """Change the object of a batch to the one that is being cancelled.

    Args:
        connection: The connection.
        owner: The owner of the batch.
        batch_id: The ID of the batch.
        changed: Returns the new object; None leaves the batch as it is.

    Returns:
        The object before the change; None if the owner has no such batch.
    """
    mine = (batches.c.id == batch_id) & (batches.c.owner == owner)
    locked = update(batches).where(mine).values(epoch=batches.c.epoch).returning(batches.c.body)
    body: str | None = connection.execute(locked).scalar()
    if body is not None and (new := changed(body)) is not None:
        connection.execute(update(batches).where(mine).values(body=new, is_cancelled=True))
    return body


def _held_by(batch_id: str, epoch: int) -> Update:
    return update(batches).where(batches.c.id == batch_id, batches.c.epoch == epoch, _is_running)


def _pass_fence(connection: Connection, write: Update, batch_id: str) -> None:
    if connection.execute(write).rowcount == 0:
        raise Fenced(batch_id)
