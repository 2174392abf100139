"""Short forms of background responses."""

import json

from msgspec import UNSET, UnsetType

from antiphon.store import Store
from antiphon.store.runs.rows import ClaimedRun, NewRun, RunEnd, RunLimits, RunWrite
from tests.store.samples import ME, Status, finished, new_response

MANY = RunLimits(per_owner=100, per_backend=100)


def event(number: int) -> bytes:
    return json.dumps({"sequence_number": number}).encode()


def events(begin: int, end: int) -> list[bytes]:
    return [event(number) for number in range(begin, end)]


async def submit(
    store: Store,
    response_id: str,
    *,
    owner: str = ME,
    backend: str = "up",
    priority: int = 0,
    at: float = 1.0,
) -> None:
    """Queue a response with two events."""
    await store.runs.submit(
        owner,
        NewRun(
            response=new_response(response_id, f"in_{response_id}", at=at),
            queued=json.dumps({"id": response_id, "status": "queued"}),
            backend=backend,
            priority=priority,
            is_streamed=False,
            request="{}",
            events=events(0, 2),
        ),
    )


async def claimed(store: Store, *active: str, limits: RunLimits = MANY) -> ClaimedRun:
    run = await store.runs.claim(active, limits)
    assert run is not None
    return run


def write(
    run: ClaimedRun,
    begin: int,
    end: int,
    step: tuple[str, str | None] | None = None,
    open_call: tuple[int, int] | None | UnsetType = UNSET,
) -> RunWrite:
    return RunWrite(
        id=run.id, epoch=run.epoch, seq=begin, events=events(begin, end), step=step, open_call=open_call
    )


def ending(run: ClaimedRun, seq: int, *output: str, status: Status = "completed") -> RunEnd:
    return RunEnd(
        write=write(run, seq, seq + 1), owner=run.owner, finished=finished(run.id, *output, status=status)
    )


async def numbers_after(store: Store, run_id: str, after: int = -1) -> list[int]:
    page = await store.runs.events_after(run_id, after)
    assert page is not None
    return [json.loads(each)["sequence_number"] for each in page.events]
