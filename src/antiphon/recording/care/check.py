"""What a collection of recordings should be rid of, and what a person should know about it."""

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
"""Bytes above which a file is oversize: such a diff is reviewed by nobody."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, in words, and with which calls or files.

    Alternatives (files of llama-stack's that answer the same question of one scope) are no fault: llama-stack
    itself makes them when it words a request anew.
    """

    kind: ProblemKind
    names: tuple[str, ...]
    text: str

    @property
    def is_fault(self) -> bool:
        """Whether the collection is the worse for it."""
        return self.kind != "alternatives"


class _HitLine(Struct):
    file: str
    call: int | None = None


_hit_decoder = msgspec.json.Decoder(_HitLine)


def read_hits(path: Path) -> set[tuple[str, int]]:
    """Reads a hit log: which calls have answered, as (file, number). Raises `ConfigError` and OSError."""
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
    """Returns the problems of a directory; unused calls only when `hits` say what a run has used.

    Raises `ConfigError` when there is no such directory.
    """
    unreadable: list[str] = []
    calls = list(read_calls(directory, unreadable))
    problems = [Problem("unreadable", (line.partition(": ")[0],), line) for line in unreadable]
    problems += _stale(calls)
    if hits is not None:
        problems += [
            Problem("unused", (call.name,), f"{call.name} answered nothing in that run")
            for call in calls
            if call.kind in REPLAYED and (call.file, call.number or 1) not in hits
        ]
    problems += _groups(calls)
    for file in sorted({call.file for call in calls}):
        if (size := (directory / file).stat().st_size) > large:
            problems.append(Problem("oversize", (file,), f"{file} has {size} bytes, more than {large}"))
    return problems


def remove(directory: Path, names: Iterable[str]) -> None:
    """Removes the calls with these names: whole files of llama-stack's, and calls from files of ours.

    A file that then holds no call is removed too. Raises `ConfigError` and OSError.
    """
    gone = set(names)
    unreadable: list[str] = []
    files: defaultdict[str, list[RecordedCall]] = defaultdict(list)
    for call in read_calls(directory, unreadable):
        files[call.file].append(call)
    for file, calls in files.items():
        kept = [call for call in calls if call.name not in gone]
        if not kept:
            (directory / file).unlink()
        elif len(kept) < len(calls):
            scope_file.write(directory / file, calls[0].scope, kept)


def _stale(calls: Sequence[RecordedCall]) -> list[Problem]:
    return [
        Problem("stale", (call.name,), f"{call.name}: its name is not the hash of what it holds")
        for call in calls
        if call.stale
    ]


def _groups(calls: Sequence[RecordedCall]) -> list[Problem]:
    """Calls of one scope that answer the same question, with the same answer or with another."""
    groups: defaultdict[tuple[str, str, str], list[RecordedCall]] = defaultdict(list)
    for call in calls:
        # Ours are a sequence: the same question may well be asked twice.
        if call.named_by_hash and call.kind != "models":
            groups[call.scope, call.kind, call.key or call.exact_hash or call.name].append(call)
    problems = []
    for group in groups.values():
        answers: defaultdict[bytes, list[str]] = defaultdict(list)
        for call in sorted(group, key=lambda call: (call.stale, call.hash_name)):
            answers[_answer(call)].append(call.name)
        for first, *others in answers.values():
            problems += [Problem("duplicate", (name,), f"{name} says the same as {first}") for name in others]
        if len(answers) > 1:
            names = tuple(name for same in answers.values() for name in same)
            text = f"{len(answers)} answers to one question of {group[0].scope}: {', '.join(names)}"
            problems.append(Problem("alternatives", names, text))
    return problems


def _answer(call: RecordedCall) -> bytes:
    """What was answered, and to which form of request: llama-stack looks for each under its own name."""
    error = b"" if call.error is None else msgspec.json.encode(call.error)
    form = b"stream" if call.request.get("stream") else b""
    return b"\n".join([form, error, *call.payloads()])
