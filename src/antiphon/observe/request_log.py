"""Request log: one line for each request, made from its record."""

import logging
import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from msgspec import UNSET

from antiphon.errors import ModelNotFound
from antiphon.observe.record import Hit, Record
from antiphon.recording.matching.nearest import printable
from antiphon.wire.json import JSONObject
from antiphon.wire.responses import Response

log = logging.getLogger("antiphon.access")

_MAX_REASON = 300
_MAX_NAME = 100
_MAX_TOOLS = 10
_DIGEST = re.compile(r"[0-9a-f]{64}")


def write(record: Record) -> None:
    """Log the request, with every fact of the record as a field."""
    if not log.isEnabledFor(logging.INFO):
        return
    fields: JSONObject = {
        "request_id": record.request_id,
        "status": record.status,
        "stream": record.is_stream,
        "seconds": round(time.monotonic() - record.began, 3),
    }
    if record.key is not None:
        fields["key"] = record.key
    response = record.response
    text = _request_line(record, fields) if response is None else _response_line(record, response, fields)
    text = ", ".join([text, *_work(record, fields)])
    log.info("; ".join([text, *_recordings(record, fields)]), extra={"fields": fields})


def _request_line(record: Record, fields: JSONObject) -> str:
    """Return the line of a request without a response object.

    For example, `POST /v1/responses 400 0.00s invalid_value: input[0].role`. The line omits error messages,
    because they may quote private text.
    """
    fields |= {"method": record.method, "path": record.path}
    reason = ""
    if (error := record.error) is not None:
        fields |= {"code": error.code, "param": error.param}
        place = error.model if isinstance(error, ModelNotFound) else error.param
        reason = f" {error.code or error.type}" + (f": {_name(place)}" if place else "")
    return f"{record.method} {record.path} {record.status} {fields['seconds']:.2f}s{reason}"


def _response_line(record: Record, response: Response, fields: JSONObject) -> str:
    """Return the line of a response.

    For example, `resp_ab12... gpt-oss:20b stream 1.84s 812->214 tok completed`.
    """
    usage, error = response.usage, record.error
    fields |= {
        "response_id": response.id,
        "model": response.model,
        "conversation": response.conversation.id if response.conversation is not UNSET else None,
        "previous_response_id": response.previous_response_id,
        "tools": len(response.tools),
        "response_status": response.status,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "error": error.message if error else None,
    }
    stream = " stream" if record.is_stream else ""
    tokens = f" {usage.input_tokens}->{usage.output_tokens} tok" if usage else ""
    reason = f": {error.message.splitlines()[0][:_MAX_REASON].rstrip(':')}" if error else ""
    what = f"{response.id} {response.model}{stream}"
    return f"{what} {fields['seconds']:.2f}s{tokens} {response.status}{reason}"


def _work(record: Record, fields: JSONObject) -> Iterator[str]:
    """Yield phrases about calls, such as `3 model calls` and `web_search x2`."""
    if record.models:
        fields["model_calls"] = len(record.models)
    if len(record.models) > 1:
        yield f"{len(record.models)} model calls"
    if record.tools:
        fields["tool_calls"] = {
            name: {"calls": use.calls, "failed": use.failed} for name, use in record.tools.items()
        }
    for name, use in islice(record.tools.items(), _MAX_TOOLS):
        failed = f" ({use.failed} failed)" if use.failed else ""
        yield f"{_name(name)} x{use.calls}{failed}"
    if (more := len(record.tools) - _MAX_TOOLS) > 0:
        yield f"{more} more tools"
    if (error := record.compaction_error) is not None:
        fields["compaction_error"] = error.message
        yield f"not compacted: {error.message.splitlines()[0][:_MAX_REASON]}"
    if record.ignored:
        fields["ignored"] = record.ignored
        yield f"ignored {' '.join(map(_name, record.ignored))}"


def _recordings(record: Record, fields: JSONObject) -> Iterator[str]:
    """Yield phrases about recordings, such as `2 hits` and `3 recorded`."""
    if not record.is_about_recordings:
        return
    fields["recording"] = {
        "hits": [describe_hit(hit) for hit in record.hits],
        "misses": list(record.misses),
        "recorded": record.recorded_count,
        "faults": list(record.faults),
    }
    if len(record.hits) == 1:
        yield f"hit {describe_hit(record.hits[0])}"
    elif record.hits:
        yield f"{len(record.hits)} hits"
    if record.unanswered:
        # The first one is enough: a request usually fails with its first miss.
        first = next((printable(each[:_MAX_REASON]) for each in record.misses if each), None)
        noun = "miss" if record.unanswered == 1 else "misses"
        yield f"{record.unanswered} {noun}" + (f": {first}" if first else "")
    if record.recorded_count:
        yield f"{record.recorded_count} recorded"
    for rule, count in Counter(record.faults).items():
        yield f"fault {_name(rule)}" + (f" x{count}" if count > 1 else "")


def describe_hit(hit: Hit) -> str:
    """Return the kind of match and the recording's name, with shortened hashes."""
    name = _DIGEST.sub(lambda digest: digest[0][:6], printable(hit.recording))
    return f"{hit.how} {name}" + (f" (normalized: {', '.join(hit.rules)})" if hit.rules else "")


def _name(text: str) -> str:
    return printable(text[:_MAX_NAME])
