"""Problems of a directory of recordings, and the removal of calls."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import REPLAYED, RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.recording.files import scope_file

ProblemKind = Literal["unreadable", "stale", "unused", "duplicate", "oversize", "alternatives"]

LARGE = 1_000_000
"""Maximum size in bytes of a file that isn't oversize; people don't review larger diffs."""


@dataclass(frozen=True)
class Problem:
    """A problem of calls or files.

    Alternatives (llama-stack's files with different answers to one request of a scope) aren't faults:
    llama-stack creates them when the form of its requests changes.
    """

    kind: ProblemKind
    names: tuple[str, ...]
    """The names of the calls or files."""
    text: str
    """The description of the problem, in one line."""

    @property
    def is_fault(self) -> bool:
        """Whether the problem should be fixed."""
        return self.kind != "alternatives"


class _HitLine(Struct):
    file: str
    call: int | None = None


_hit_decoder = msgspec.json.Decoder(_HitLine)


def read_hits(path: Path) -> set[tuple[str, int]]:
    """Return the calls of a hit log as pairs of a file and a number.

    Raises:
        ConfigError: A line isn't a line of a hit log.
        OSError: The file can't be read.
    """
    hits = set()
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            hit = _hit_decoder.decode(line)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ConfigError(f"{path}:{number}: not a line of a hit log: {error}") from None
        hits.add((hit.file, hit.call or 1))
    return hits


def check(
    directory: Path, hits: Collection[tuple[str, int]] | None = None, *, large: int = LARGE
) -> list[Problem]:
    """Return the problems of a directory.

    Args:
        directory: The directory of recordings.
        hits: The calls that a run has used, as pairs of a file and a number; None finds no unused calls.
        large: Maximum size in bytes of a file that isn't oversize.

    Raises:
        ConfigError: The directory does not exist.
    """
    unreadable: list[str] = []
    calls = list(read_calls(directory, unreadable))
    problems = [Problem("unreadable", (line.partition(": ")[0],), line) for line in unreadable]
    problems += _stale(calls)
    if hits is not None:
        problems += [
            Problem("unused", (call.name,), f"{call.name} didn't answer any call of that run")
            for call in calls
            if call.kind in REPLAYED and (call.file, call.number or 1) not in hits
        ]
    problems += _groups(calls)
    for file in sorted({call.file for call in calls}):
        if (size := (directory / file).stat().st_size) > large:
            problems.append(Problem("oversize", (file,), f"{file} has {size} bytes, more than {large}"))
    return problems


def remove(directory: Path, names: Iterable[str]) -> None:
    """Remove the calls with these names, and files without any call left.

    Raises:
        ConfigError: The directory does not exist.
        OSError: A file could not be written or removed.
    """
    removed = set(names)
    unreadable: list[str] = []
    files: defaultdict[str, list[RecordedCall]] = defaultdict(list)
    for call in read_calls(directory, unreadable):
        files[call.file].append(call)
    for file, calls in files.items():
        kept = [call for call in calls if call.name not in removed]
        if not kept:
            (directory / file).unlink()
        elif len(kept) < len(calls):
            scope_file.write(directory / file, calls[0].scope, kept)


def _stale(calls: Sequence[RecordedCall]) -> list[Problem]:
    return [
        Problem("stale", (call.name,), f"{call.name}: its name isn't the hash of its content")
        for call in calls
        if call.stale
    ]


def _groups(calls: Sequence[RecordedCall]) -> list[Problem]:
    """Return the duplicates and alternatives among calls of one scope and request."""
    groups: defaultdict[tuple[str, str, str], list[RecordedCall]] = defaultdict(list)
    for call in calls:
        # Our own calls are a sequence: a run can make the same call twice.
        if call.named_by_hash and call.kind != "models":
            groups[call.scope, call.kind, call.key or call.exact_hash or call.name].append(call)
    problems = []
    for group in groups.values():
        answers: defaultdict[bytes, list[str]] = defaultdict(list)
        for call in sorted(group, key=lambda call: (call.stale, call.hash_name)):
            answers[_answer(call)].append(call.name)
        for first, *others in answers.values():
            problems += [
                Problem("duplicate", (name,), f"{name} has the same answer as {first}") for name in others
            ]
        if len(answers) > 1:
            names = tuple(name for same in answers.values() for name in same)
            text = f"{len(answers)} answers to one request of {group[0].scope}: {', '.join(names)}"
            problems.append(Problem("alternatives", names, text))
    return problems


def _answer(call: RecordedCall) -> bytes:
    """Return the answer, and the form of its request, which changes the file name."""
    error = b"" if call.error is None else msgspec.json.encode(call.error)
    form = b"stream" if call.request.get("stream") else b""
    return b"\n".join([form, error, *call.payloads()])
