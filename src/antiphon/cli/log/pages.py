"""One response as text, Markdown or JSON."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from antiphon.cli.log.layout import MOST_TEXT, block, colored, duration, has_color, moment, printable
from antiphon.service.log.entries import LoggedResponse
from antiphon.service.log.timeline import StepView
from antiphon.wire.items import CustomToolCallOutput, FunctionCallOutput, Item, Message
from antiphon.wire.log import SentRequest

_MOST_LISTED = 200
"""The most input items and events in a text; JSON has all."""


class Shown(Struct, frozen=True):
    """A response, with the parts that the command prints."""

    logged: LoggedResponse
    """The response."""
    events: list[bytes]
    """JSON texts of its events."""
    requests: list[SentRequest | None]
    """The chat request of each step; None for a tool call, and for one that is not known."""


def json_text(shown: Shown) -> str:
    """Return everything as a JSON object."""
    document = {
        **msgspec.to_builtins(shown.logged),
        "requests": shown.requests or None,
        "events": [msgspec.Raw(event) for event in shown.events] or None,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def plain(shown: Shown) -> str:
    """Return the text for a terminal."""
    logged = shown.logged
    entry, summary = logged.entry, logged.entry.summary
    status = colored(entry.status, entry.status, is_colored=has_color())
    lines = [f"{entry.id}  {status}  {moment(entry.created_at, is_full=True)}", *_facts(logged)]
    lines += _section("instructions", [] if logged.response is None else _text(logged.response.instructions))
    lines += _section("input", _items(logged.input))
    steps: list[str] = []
    for number, step in enumerate(logged.timeline):
        steps += [f"  {_head(step)}", *_body(step)]
        if number < len(shown.requests) and (request := shown.requests[number]) is not None:
            steps += [f"    request{'' if request.is_exact else ' (may differ in details)'}:"]
            steps += block(_pretty(request.body), "      ")
    if logged.left_out:
        steps.append(f"  {logged.left_out} further steps are not in the log")
    lines += _section("steps", steps)
    error = summary.error
    lines += _section(
        "error", [] if error is None else block(f"{error.code or error.type}: {error.message}", "  ")
    )
    events = [f"  {printable(event.decode())}"[:MOST_TEXT] for event in shown.events[:_MOST_LISTED]]
    if len(shown.events) > _MOST_LISTED:
        events.append(f"  {len(shown.events) - _MOST_LISTED} more events; --format json has all")
    return "\n".join([*lines, *_section("events", events)])


def markdown(shown: Shown) -> str:
    """Return Markdown, in which no text can end its block."""
    logged = shown.logged
    entry = logged.entry
    lines = [f"# {entry.id}", "", f"{entry.status}, {moment(entry.created_at, is_full=True)}", ""]
    lines += [f"* {_escaped(fact)}" for fact in _facts(logged)]
    if logged.response is not None and logged.response.instructions:
        lines += ["", "## Instructions", "", *_fenced(logged.response.instructions)]
    lines += ["", "## Input", "", *_fenced("\n".join(_items(logged.input)))]
    for number, step in enumerate(logged.timeline):
        lines += ["", f"## {_escaped(_head(step))}", "", *_fenced("\n".join(_body(step)))]
        if number < len(shown.requests) and (request := shown.requests[number]) is not None:
            lines += ["", "Request:" if request.is_exact else "Request (may differ in details):", ""]
            lines += _fenced(_pretty(request.body), "json")
    if (error := entry.summary.error) is not None:
        lines += ["", "## Error", "", *_fenced(f"{error.code or error.type}: {error.message}")]
    if shown.events:
        lines += ["", "## Events", "", *_fenced("\n".join(event.decode() for event in shown.events), "json")]
    return "\n".join(lines)


def _facts(logged: LoggedResponse) -> Iterator[str]:
    entry, summary = logged.entry, logged.entry.summary
    numbers = [printable(entry.model) or "-", duration(summary.seconds)]
    if summary.first is not None:
        numbers.append(f"first token {duration(summary.first)}")
    if summary.input is not None:
        numbers.append(f"{summary.input} -> {summary.output} tokens")
    yield ", ".join(numbers)
    links = {
        "owner": entry.owner,
        "key": entry.key,
        "conversation": entry.conversation_id,
        "continues": entry.previous_response_id,
        "fork of": entry.forked_from,
        "continued by": ", ".join(logged.next_ids),
        "forks": ", ".join(logged.forks),
    }
    yield from (f"{name} {printable(value)}" for name, value in links.items() if value)


def _head(step: StepView) -> str:
    facts = [duration(step.seconds)]
    if step.first is not None:
        facts.append(f"first {duration(step.first)}")
    if step.usage is not None:
        facts.append(f"{step.usage.input} -> {step.usage.output} tokens")
    if step.finish:
        facts.append(step.finish)
    facts += ["approved"] if step.is_approved else []
    facts += ["failed"] if step.failed else []
    call = f" (call {step.call})" if step.call is not None else f" ({step.purpose})" if step.purpose else ""
    return printable(
        f"{step.number}  at {duration(step.at)}  {step.kind} {step.name}{call}  {', '.join(facts)}"
    )


def _body(step: StepView) -> Iterator[str]:
    labeled = [
        *(("retried after", retry) for retry in step.retries),
        ("reasoning", step.reasoning),
        ("text", step.text),
        *(("calls", call) for call in step.calls),
        ("arguments", step.arguments),
        ("result", step.result),
        ("error", "" if step.error is None else step.error.message or step.error.code or step.error.type),
    ]
    for label, text in labeled:
        lines = block(text, "      ")
        if len(lines) == 1:
            yield f"    {label}: {lines[0].strip()}"
        elif lines:
            yield f"    {label}:"
            yield from lines


def _items(items: list[Item]) -> list[str]:
    lines: list[str] = []
    skipped = len(items) - _MOST_LISTED
    if skipped > 0:
        lines.append(f"  {skipped} earlier items; --format json has all")
    for item in items[-_MOST_LISTED:]:
        lines += block(f"{_label(item)}: {_content(item)}", "  ")
    return lines


def _label(item: Item) -> str:
    return str(item.role) if isinstance(item, Message) else str(item.__struct_config__.tag)


def _content(item: Item) -> str:
    if isinstance(item, Message):
        if isinstance(item.content, str):
            return item.content
        texts = [getattr(part, "text", f"[{part.__struct_config__.tag}]") for part in item.content]
        return "\n".join(map(str, texts))
    if isinstance(item, FunctionCallOutput | CustomToolCallOutput) and isinstance(item.output, str):
        return item.output
    return msgspec.json.encode(item).decode()


def _text(text: str | None) -> list[str]:
    return block(text, "  ") if text else []


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _fenced(text: str, language: str = "text") -> list[str]:
    """Return a fenced code block whose fence is longer than every run of backticks in the text."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * max(3, *(run + 1 for run in runs), 3)
    shown = "\n".join(printable(line) for line in text[: 4 * MOST_TEXT].splitlines())
    return [f"{fence}{language}", shown, fence]


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
