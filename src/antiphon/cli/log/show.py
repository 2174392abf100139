"""The command `antiphon show`, which prints everything about one response."""

from typing import TYPE_CHECKING

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.log.opening import database_option, with_services, with_store

if TYPE_CHECKING:
    from antiphon.cli.log.pages import Shown
    from antiphon.service.log.entries import Log, LoggedResponse
    from antiphon.service.services import Services
    from antiphon.store import Store


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json"]),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@click.option(
    "--events", is_flag=True, help="Also the events; except for background responses, each text is one."
)
@click.option(
    "--request", "requests", is_flag=True, help="Also the chat requests that were sent to the backend."
)
@database_option
@debug_flag
def show(name: str, form: str, events: bool, requests: bool, database: str | None, debug: bool) -> None:
    """Show a response: its input, model and tool calls with times, and its output.

    ID is the ID of a response or a refused request, a unique beginning of it, or -1 for the newest one.

    \b
    Examples:
      antiphon show -1                  show the last response
      antiphon show resp_18ecd12409 --request
                                        show the chat requests, too
      antiphon show -1 --format md      write Markdown, for an issue or a coding agent
    """
    with one_line(debug):
        from antiphon.cli.log.pages import json_text, markdown, plain

        if requests:
            shown = with_services(database, lambda services: _with_requests(services, name, events=events))
        else:
            shown = with_store(database, lambda store: _shown(store, name, events=events))
        form_of = {"text": plain, "md": markdown, "json": json_text}
        click.echo(form_of[form](shown))


async def _shown(store: "Store", name: str, *, events: bool) -> "Shown":
    from antiphon.cli.log.pages import Shown
    from antiphon.service.log.entries import Log

    log = Log(store)
    found = await log.get(None, await log.find(None, name))
    return Shown(found, await _events(log, found) if events else [], [])


async def _events(log: "Log", found: "LoggedResponse") -> list[bytes]:
    """Return the stored events of a response, or else those that follow from its items."""
    import msgspec

    from antiphon.viewer.events import events_of

    events = await log.events(found.entry.id)
    if not events and found.response is not None:
        events = [msgspec.json.encode(event) for event in events_of(found.response)]
    return events


async def _with_requests(services: "Services", name: str, *, events: bool) -> "Shown":
    import msgspec

    from antiphon.service.log.sent import SentRequests

    shown = await _shown(services.store, name, events=events)
    sent = SentRequests(services.responses, services.sealing)
    return msgspec.structs.replace(shown, requests=await sent.of(shown.logged))
