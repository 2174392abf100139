"""Import and export of llama-stack's files."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from msgspec import Raw

from antiphon.engine.reply.whole import unfold_reply
from antiphon.errors import ConfigError, SecretInRecording, UpstreamBroken
from antiphon.recording.calls.exact_hash import as_streaming_request
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.recording.files import llama_stack_writer, scope_file
from antiphon.recording.files.secrets import find_in_call


@dataclass
class Conversion:
    """Result of an import or an export."""

    calls: int = 0
    files: int = 0
    omitted: list[str] = field(default_factory=list)
    """A line for each call, or part of one, that the format can't hold."""


def read_all(directories: Iterable[Path]) -> tuple[list[RecordedCall], list[str]]:
    """Return the calls of directories, and a line per unreadable file.

    Raises:
        ConfigError: A directory does not exist.
    """
    problems: list[str] = []
    calls = [call for directory in directories for call in read_calls(directory, problems)]
    return calls, problems


def import_calls(calls: Iterable[RecordedCall], into: Path) -> Conversion:
    """Append the calls to one file per scope, except those that the file already has.

    In a scope, short conversations come before their continuations.

    Raises:
        SecretInRecording: A call holds a secret; no file was written.
        ConfigError: A file of a scope can't be read.
        OSError: A file could not be written.
    """
    calls = list(calls)
    _refuse_secrets(calls)
    done = Conversion()
    scopes: defaultdict[str, list[RecordedCall]] = defaultdict(list)
    for call in calls:
        scopes[call.scope].append(call)
    for scope, group in sorted(scopes.items()):
        path = into / scope_file.file_name(scope)
        kept = scope_file.read(path) if path.exists() else []
        scope_file.write(path, scope, _joined(kept, sorted(group, key=_order)))
        done.calls += len(group)
        done.files += 1
    return done


def export_calls(calls: Sequence[RecordedCall], into: Path) -> Conversion:
    """Write each call as a file of llama-stack, and report what its format can't hold.

    llama-stack's format holds one answer per request, valid JSON alone, and no chunks before an error. An
    imported call keeps its file name, so a stale one stays stale. Our own non-streaming replies are also
    written as streams, because llama-stack's Responses API requests these.

    Raises:
        OSError: A file could not be written.
    """
    done = Conversion()
    named: list[tuple[RecordedCall, str]] = []
    for call in calls:
        try:
            named.append((call, llama_stack_writer.file_name(call)))
        except ConfigError as error:
            done.omitted.append(str(error))
    names = {name for _, name in named}
    written: set[str] = set()
    for call, name in named:
        if name in written:
            done.omitted.append(f"{call.name}: {name} already holds an earlier answer to this call")
            continue
        try:
            llama_stack_writer.write(into, call)
        except ConfigError as error:
            done.omitted.append(str(error))
            continue
        if call.error is not None and call.parts:
            done.omitted.append(f"{call.name}: the chunks before its error")
        written.add(name)
        done.calls += 1
        done.files += 1
        stream = _as_stream(call)
        if stream is not None and llama_stack_writer.file_name(stream) not in names:
            llama_stack_writer.write(into, stream)
            done.files += 1
    return done


def _as_stream(call: RecordedCall) -> RecordedCall | None:
    """Return a non-streaming call of ours as llama-stack's Responses API makes it.

    None for other calls; a request with `stream: false` isn't part of a response.
    """
    if call.kind != "chat" or call.streamed or call.named_by_hash or "stream" in call.request:
        return None
    try:
        chunks = [chunk for part in call.payloads() for chunk in unfold_reply(part, include_usage=True)]
    except UpstreamBroken:
        return None
    parts = tuple(Raw(chunk) for chunk in chunks)
    return replace(call, request=as_streaming_request(call.request), streamed=True, parts=parts, gaps=())


def _joined(kept: list[RecordedCall], calls: list[RecordedCall]) -> list[RecordedCall]:
    """Return old and new calls; new ones of llama-stack replace those of their name."""
    named = {call.hash_name: call for call in calls if call.named_by_hash}
    known = Counter(_identity(call) for call in kept)
    joined = [named.pop(call.hash_name, call) for call in kept]
    for call in calls:
        if call.named_by_hash:
            joined.extend(filter(None, [named.pop(call.hash_name, None)]))
        elif known[_identity(call)]:
            known[_identity(call)] -= 1
        else:
            joined.append(call)
    return joined


def _identity(call: RecordedCall) -> tuple[bytes, bytes]:
    """Return the data that is equal in two equal calls of one scope."""
    request = (call.kind, call.address, call.request, call.streamed, call.error)
    return msgspec.json.encode(request, order="deterministic"), b"\n".join(call.payloads())


def _refuse_secrets(calls: Sequence[RecordedCall]) -> None:
    found = [f"{call.name}: {finding}" for call in calls for finding in find_in_call(call)]
    if found:
        more = f" (and {len(found) - 1} more; `antiphon recordings scan` lists all)" if len(found) > 1 else ""
        raise SecretInRecording(f"Nothing was imported, because of {found[0]}{more}.")


def _order(call: RecordedCall) -> tuple[int, bool, str]:
    """Return a sort key for llama-stack's calls; it keeps the order of our own."""
    if not call.named_by_hash:
        return 0, False, ""
    messages = call.request.get("messages")
    return len(messages) if isinstance(messages, list) else 0, call.stale, call.name
