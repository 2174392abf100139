"""The page of a response."""

from typing import get_args

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode.explain import unsupported_value
from antiphon.engine.slices import in_thread
from antiphon.errors import InvalidRequest
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import owner_of, path_id
from antiphon.server.edge.state import headers_of, services_of, store_of
from antiphon.server.pages.frame import SAFE, Shown, page
from antiphon.server.pages.listing import log_of
from antiphon.server.pages.sessions import is_secure
from antiphon.service.log.entries import LoggedResponse
from antiphon.service.log.sent import SentRequests
from antiphon.viewer.events import events_of
from antiphon.viewer.recording import Recording, recording_of
from antiphon.viewer.snippets import snippets
from antiphon.viewer.timeline import waterfall
from antiphon.viewer.views import Event, ResponseView, Tab, Upstream
from antiphon.wire.lists import PageQuery
from antiphon.wire.responses import Include

_EVERYTHING = frozenset(get_args(Include))
_MOST_ITEMS = 100
_MOST_EVENTS = 500
_MOST_LINKS = 10


class _Head(Struct):
    type: str
    sequence_number: int


_decode_head = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode


async def response(request: Request) -> Shown:
    """Show a response."""
    owner, response_id, tab = owner_of(request), path_id(request, "response_id"), _tab(request)
    services, store = services_of(request), store_of(request)
    responses = services.responses
    found = await responses.get(owner, response_id, _EVERYTHING)
    given = await responses.input_items(owner, response_id, PageQuery(limit=_MOST_ITEMS), _EVERYTHING)
    given.data.reverse()  # The latest items, in their order.
    logged = await log_of(request).get(owner, response_id)
    is_running = found.status in ("queued", "in_progress")
    view = ResponseView(
        tab=tab,
        response=found,
        instructions=found.instructions,
        input=given.data,
        input_has_more=given.has_more,
        following=logged.next_ids[:_MOST_LINKS],
        forks=logged.forks[:_MOST_LINKS],
        forked_from=logged.entry.forked_from,
        timeline=waterfall(logged.timeline, logged.entry.summary.seconds, logged.left_out),
        live=f"{PAGES}/live/responses/{response_id}" if is_running else None,
        snippets=snippets(found, given.data, base_url(request)),
    )
    if tab == "request":
        found_requests = await SentRequests(responses, services.sealing).of(logged)
        view.requests = [
            Upstream(step=step, sent=sent)
            for step, sent in zip(logged.timeline, found_requests, strict=True)
            if step.kind == "model"
        ]
    if tab == "events":
        events = await store.runs.first_events(owner, response_id, _MOST_EVENTS)
        view.are_events_stored = events is not None
        if events is None:
            events = [_encode(event).decode() for event in events_of(found)[:_MOST_EVENTS]]
        view.events = [_event(text) for text in events]
    if tab == "copy":
        view.recording = await _recording(request, logged)
    return Shown(f"Response {response_id}", view)


async def recording(request: Request) -> Response:
    """Return the recording of a response as a file."""
    logged = await log_of(request).get(owner_of(request), path_id(request, "response_id"))
    found = await _recording(request, logged)
    if found.problem:
        raise InvalidRequest(found.problem, code="recording_not_possible")
    headers = {**SAFE, "content-disposition": f'attachment; filename="{found.file}"'}
    return Response(found.text, headers=headers, media_type="application/json")


async def _recording(request: Request, logged: LoggedResponse) -> Recording:
    services = services_of(request)
    calls = await SentRequests(services.responses, services.sealing).calls(logged)
    return await in_thread(lambda: recording_of(logged, calls))


def base_url(request: Request) -> str:
    """Return the base URL of the API at the address that the browser uses."""
    headers = headers_of(request.scope)
    scheme = "https" if is_secure(headers) else "http"
    return f"{scheme}://{headers.get(b'host', b'localhost').decode('latin-1')}/v1"


def _tab(request: Request) -> Tab:
    given = request.query_params.get("tab", "")
    for tab in get_args(Tab):
        if given == tab:
            found: Tab = tab
            return found
    raise unsupported_value("tab", given, get_args(Tab))


def _event(text: str) -> Event:
    head = _decode_head(text)
    return Event(sequence_number=head.sequence_number, type=head.type, text=text)


routes = [
    Route(f"{PAGES}/responses/{{response_id}}/recording", recording, methods=["GET"]),
    *page(f"{PAGES}/responses/{{response_id}}", "response.html", response),
]
