"""Forks of responses, and comparisons."""

import asyncio
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from antiphon.decode.bodies import BodyDecoder
from antiphon.errors import InvalidRequest
from antiphon.server.edge.answers import json_answer, nobody_there
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import context_of, decoded_body, owner_of, path_id, query_text
from antiphon.server.edge.state import services_of
from antiphon.server.http.exchange import StoppedByDisconnect
from antiphon.server.pages.access import DATA, read_form
from antiphon.server.pages.frame import Shown, page
from antiphon.server.pages.listing import log_of
from antiphon.service.log.compare import compared, run_of
from antiphon.service.log.fork import Changes, Forks
from antiphon.service.responses.run import Run
from antiphon.viewer.views import DiffView

_CHANGES = BodyDecoder(Changes)
_MOMENT = 1.0
"""Seconds to wait for the end of a fork, before its page shows it in progress."""
_running: set[asyncio.Task[None]] = set()
"""Forks in progress; the event loop itself refers to tasks only weakly."""


async def fork_by_form(request: Request) -> Response:
    """Begin a fork, and lead to its page."""
    response_id, fields = path_id(request, "response_id"), await read_form(request)
    step = fields.get("step", "")
    if not (step.isascii() and step.isdigit() and len(step) < 6):
        raise InvalidRequest("Invalid 'step': expected a number.", code="invalid_value", param="step")
    original = (await log_of(request).get(owner_of(request), response_id)).response
    instructions = fields.get("instructions", "")
    is_changed = original is None or instructions != (original.instructions or "")
    changes = Changes(
        step=int(step),
        model=fields.get("model") or None,
        instructions=instructions if is_changed else None,
        input=fields.get("input") or None,
    )
    run = await _fork(request, response_id, changes)
    # The browser may leave; the fork goes on, as its page shows.
    task = asyncio.ensure_future(_run(run))
    _running.add(task)
    task.add_done_callback(_running.discard)
    await asyncio.wait([task], timeout=_MOMENT)
    return RedirectResponse(f"{PAGES}/responses/{run.loop.response.id}", 303, {"cache-control": "no-store"})


async def fork(request: Request) -> Response:
    """Fork a response, and return the new one; the body is `Changes` as JSON."""
    changes = await decoded_body(request, _CHANGES, default=b"{}")
    run = await _fork(request, path_id(request, "response_id"), changes)
    async with run:
        with StoppedByDisconnect(request.scope):
            return json_answer(await run.response())
    return nobody_there()


async def _fork(request: Request, response_id: str, changes: Changes) -> Run:
    services = services_of(request)
    forks = Forks(log_of(request), services.responses)
    return await forks.fork(context_of(request), response_id, changes)


async def _run(run: Run) -> None:
    async with run, aclosing(run.events()) as batches:
        async for _ in batches:
            pass  # The store has the outcome, and the error of a failed fork.


async def diff(request: Request) -> Shown:
    """Compare two responses."""
    left, right = query_text(request, "left") or "", query_text(request, "right") or ""
    view = DiffView(left=left, right=right, comparison=None)
    if left and right:
        owner, entries = owner_of(request), log_of(request)
        both = [run_of(await entries.get(owner, response_id)) for response_id in (left, right)]
        view.comparison = compared(*both)
    return Shown("Compare", view)


_FORK = f"{PAGES}/responses/{{response_id}}/fork"

routes = [
    Route(_FORK + DATA, fork, methods=["POST"]),
    Route(_FORK, fork_by_form, methods=["POST"]),
    *page(f"{PAGES}/diff", "diff.html", diff),
]
