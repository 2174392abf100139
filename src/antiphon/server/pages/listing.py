"""The list of responses, and its live rows."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.errors import InvalidRequest, NotFound
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import begin_stream, owner_of, path_id
from antiphon.server.edge.sse import EventStream, Frames
from antiphon.server.edge.state import services_of, store_of
from antiphon.server.http.exchange import CLIENT, Client
from antiphon.server.pages.frame import SAFE, Shown, page
from antiphon.server.pages.lists import SIZE, address, first_of, next_of, query_of
from antiphon.service.log.entries import Log
from antiphon.store.log.rows import LogQuery
from antiphon.viewer.listing import Filters, ResponsesView
from antiphon.viewer.render import render
from antiphon.wire.log import LogEntry
from antiphon.wire.responses import ResponseStatus

_RUNNING = ("queued", "in_progress")
_LOOK = 1.0
"""Seconds between two looks for changed rows."""
_QUIET = 15.0
"""Seconds after which an unchanged stream proves that it is alive."""
_LIFE = 600.0
"""Seconds after which a browser has to connect again, with its key."""
_OVERLAP = 2.0
"""Seconds before the rendering of a page in which a response may have changed without being on it."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SINCE = re.compile(r"([0-9]{1,6})([smhdw])")
_MOST_FILTER = 1000

_encode = msgspec.json.Encoder().encode


def log_of(request: Request) -> Log:
    """Return the use cases of the log."""
    return Log(store_of(request))


async def responses(request: Request) -> Shown:
    """Show the list of responses."""
    filters, query = _filters(request), query_of(request)
    found = await log_of(request).page(_query(owner_of(request), filters, query.after, query.limit))
    first = first_of(request)
    # Each look for words indexes new texts first; a page that is not the first one does not change.
    is_live = first is None and not filters.q
    live = address(request, seen=f"{time.time():.1f}").replace("/responses", "/live/responses", 1)
    view = ResponsesView(
        data=found.data,
        filters=filters,
        is_filtered=filters != Filters(),
        statuses=[*get_args(ResponseStatus), "refused"],
        next=next_of(request, found.last_id, has_more=found.has_more),
        first=first,
        live=live if is_live else None,
        most=SIZE,
    )
    return Shown("Responses", view)


async def live(request: Request) -> Response:
    """Stream the changed rows of the list as fragments of the page."""
    filters, seen = _filters(request), _seen(request)
    await begin_stream(request)
    return _stream(request, _changes(request, filters, seen))


async def _changes(request: Request, filters: Filters, seen: float) -> AsyncGenerator[Frames, None]:
    """Yield the rows that have changed since a time, and then those that change."""
    yield Frames(b"retry: 2000\n\n")
    query = _query(owner_of(request), filters, None, SIZE)
    known: dict[str, bytes] = {}
    began = quiet_since = time.monotonic()
    while time.monotonic() - began < _LIFE:
        entries = [(entry, _encode(entry)) for entry in (await log_of(request).page(query)).data]
        changed = [
            entry
            for entry, text in entries
            if known.get(entry.id, text if _ended_before(entry, seen) else None) != text
        ]
        known = {entry.id: text for entry, text in entries}
        if changed:
            html = render("rows.html", {"entries": changed})
            yield Frames(b"data: %s\n\n" % _encode(html))
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > _QUIET:
            yield Frames(b": still here\n\n")
            quiet_since = time.monotonic()
        await asyncio.sleep(_LOOK)
    yield Frames(b"", is_last=True)


async def follow(request: Request) -> Response:
    """Stream nothing until a response has ended, and then its end."""
    owner, response_id = owner_of(request), path_id(request, "response_id")
    await services_of(request).responses.get(owner, response_id)
    await begin_stream(request)
    return _stream(request, _end(request, owner, response_id))


async def _end(request: Request, owner: str, response_id: str) -> AsyncGenerator[Frames, None]:
    yield Frames(b"retry: 2000\n\n")
    began = time.monotonic()
    while time.monotonic() - began < _LIFE:
        try:
            found = await services_of(request).responses.get(owner, response_id)
        except NotFound:
            break
        if found.status not in _RUNNING:
            break
        yield Frames(b": still here\n\n")
        await asyncio.sleep(_LOOK)
    yield Frames(b"event: end\ndata: {}\n\n", is_last=True)


def _stream(request: Request, frames: AsyncGenerator[Frames, None]) -> Response:
    client: Client | None = request.scope.get(CLIENT)
    if client is not None:
        client.only_watches = True
    stream = EventStream(frames)
    for name, value in SAFE.items():
        stream.headers[name] = value
    return stream


def _ended_before(entry: LogEntry, seen: float) -> bool:
    return entry.status not in _RUNNING and entry.created_at + (entry.summary.seconds or 0) < seen - _OVERLAP


def _filters(request: Request) -> Filters:
    given = request.query_params
    values = {name: given.get(name, "").strip()[:_MOST_FILTER] for name in Filters.__struct_fields__}
    if any("\0" in value for value in values.values()):
        raise InvalidRequest("The character U+0000 is not allowed.", code="invalid_value")
    return Filters(**values)


def _query(owner: str, filters: Filters, after: str | None, limit: int) -> LogQuery:
    return LogQuery(
        owner=owner,
        limit=limit,
        after=after,
        model=filters.model or None,
        status=filters.status or None,
        errors=bool(filters.errors),
        tool=filters.tool or None,
        conversation_id=filters.conversation or None,
        key_name=filters.key or None,
        since=_since(filters.since),
        text=filters.q or None,
    )


def _since(text: str) -> float | None:
    """Return the time that a duration such as `15m` before now is at."""
    if not text:
        return None
    found = _SINCE.fullmatch(text)
    if found is None:
        raise InvalidRequest(
            f"Invalid 'since': '{text[:20]}'. Expected a duration such as 15m, 12h or 7d.",
            code="invalid_value",
            param="since",
        )
    return time.time() - int(found[1]) * _UNITS[found[2]]


def _seen(request: Request) -> float:
    try:
        return float(request.query_params.get("seen", "0"))
    except ValueError:
        return 0.0


routes = [
    *page(f"{PAGES}/responses", "responses.html", responses),
    Route(f"{PAGES}/live/responses", live, methods=["GET"]),
    Route(f"{PAGES}/live/responses/{{response_id}}", follow, methods=["GET"]),
]
