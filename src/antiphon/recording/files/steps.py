"""Compact form of a stream of chunks: steps with joined text and its lengths.

Each step changes the chunk before it, or the first or last chunk of an earlier stream, by `set` and `unset`
(`patches.py`). A step with `text` represents one chunk per piece of the text, with the piece at the pointer
`at`. `lengths` are the lengths of the pieces in characters, without the last one. Text, function arguments,
reasoning and refusals have the same form, and unusual data (log probabilities, a backend's own fields) is
kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from antiphon.recording.files.patches import apply, difference, locate
from antiphon.wire.json import JSON, JSONObject

_PADDING = "obfuscation"
"""Member with random characters by which OpenAI hides the length of a chunk in transit."""
_LONGEST_RUN = 1_000_000
"""Maximum run of equal numbers. No stream has more chunks; such a file is broken or malicious."""
_object_decoder = msgspec.json.Decoder(JSONObject)


class Step(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One step from chunk to chunk, or a chunk that isn't a JSON object."""

    starts_like: int | None = None
    """The number of a call whose first chunk the step changes; a reply is a first and a last chunk."""
    ends_like: int | None = None
    """The number of a call whose last chunk the step changes."""
    set: JSONObject = {}
    unset: list[str] = []
    at: str = ""
    text: str = ""
    lengths: str = ""
    raw: str | None = None
    """The bytes of a chunk that isn't a JSON object, as Latin-1. The next step ignores this chunk."""


@dataclass(frozen=True)
class Stream:
    """The first and the last chunk of an earlier answer, and the number of its call."""

    number: int
    first: JSONObject
    last: JSONObject


def fold(parts: Sequence[Raw], earlier: Iterable[Stream]) -> list[Step]:
    """Return the steps of a list of parts.

    The first and the last step each refer to the earlier answer with the smallest difference.

    Args:
        parts: The chunks, or the values of a list.
        earlier: The answers to which the steps can refer.
    """
    steps: list[_GrowingStep] = []
    like: Stream | None = None
    before: JSONObject | None = None
    for part in parts:
        chunk = parse(part)
        if chunk is None:
            steps.append(_GrowingStep(Step(raw=bytes(part).decode("latin-1"))))
            continue
        if before is None:
            like = _nearest(chunk, [(each, each.first) for each in earlier])
            before = {} if like is None else like.first
        changed, removed = difference(before, chunk)
        if not (steps and steps[-1].extend(changed, removed)):
            number = None if like is None else like.number
            steps.append(_GrowingStep(Step(starts_like=number, set=changed, unset=removed)))
            like = None
        before = chunk
    shortened = [step.result() for step in steps]
    if len(shortened) > 1 and before is not None:
        shortened[-1] = _shorter_end(shortened[-1], before, earlier)
    return shortened


def unfold(steps: Iterable[Step], streams: Mapping[int, tuple[Raw, Raw]]) -> Iterator[Raw]:
    """Yield the parts of steps as compact JSON.

    Args:
        steps: The steps that `fold` returned.
        streams: The first and last parts of earlier calls, by number.

    Raises:
        ValueError: A step refers to a place or a call that does not exist.
    """
    for chunk, place, pieces in _walk(steps, streams):
        if isinstance(chunk, bytes):
            yield Raw(chunk)
        elif place is None:
            yield Raw(msgspec.json.encode(chunk))
        else:
            holder, key = place
            for piece in pieces:
                holder[key] = piece
                yield Raw(msgspec.json.encode(chunk))


def outline(steps: Iterable[Step], streams: Mapping[int, tuple[Raw, Raw]]) -> tuple[int, Raw, Raw]:
    """Return the number of parts of steps, and the first and last part.

    The other parts are skipped. Without parts the first and last are empty.

    Raises:
        ValueError: A step refers to a place or a call that does not exist.
    """
    count, first = 0, None
    chunk: JSONObject | bytes = {}
    for chunk, place, pieces in _walk(steps, streams):
        if place is not None:
            holder, key = place
            holder[key] = pieces[0]
        first = _part(chunk) if first is None else first
        if place is not None:
            holder[key] = pieces[-1]
        count += max(1, len(pieces))
    return (0, Raw(), Raw()) if first is None else (count, first, _part(chunk))


def _part(chunk: JSONObject | bytes) -> Raw:
    return Raw(chunk if isinstance(chunk, bytes) else msgspec.json.encode(chunk))


def _walk(
    steps: Iterable[Step], streams: Mapping[int, tuple[Raw, Raw]]
) -> Iterator[tuple[JSONObject | bytes, tuple[JSON, str | int] | None, list[str]]]:
    """Yield the chunk after each step, and the place and pieces of its text.

    The consumer sets the place to each piece, or to the last one alone.
    """
    chunk: JSONObject = {}
    for step in steps:
        if step.raw is not None:
            yield step.raw.encode("latin-1"), None, []
            continue
        number = step.ends_like if step.starts_like is None else step.starts_like
        if number is not None:
            if number not in streams:
                raise ValueError(f"starts or ends like call {number}, which has no chunks before it")
            chunk = _object_decoder.decode(streams[number][step.starts_like is None])
        if step.set or step.unset:
            # A copy, because later steps change the chunk, and the step itself must not change.
            apply(chunk, _object_decoder.decode(msgspec.json.encode(step.set)), step.unset)
        yield (
            (chunk, locate(chunk, step.at), list(_pieces(step.text, step.lengths)))
            if step.at
            else (chunk, None, [])
        )


def parse(part: Raw) -> JSONObject | None:
    """Return a JSON object, a chunk without its padding; None for other values."""
    try:
        chunk = _object_decoder.decode(part)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    choices = chunk.get("choices")
    if isinstance(choices, list):  # An object without choices isn't a chunk, and can use the member for data.
        for holder in [chunk, *choices]:
            if isinstance(holder, dict) and isinstance(holder.get(_PADDING), str):
                del holder[_PADDING]
    return chunk


def pack(numbers: Iterable[int]) -> str:
    """Return numbers as text with spaces between them; `3x5` is five times 3."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][0] == number:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return " ".join(str(number) if count == 1 else f"{number}x{count}" for number, count in runs)


def unpack(text: str) -> list[int]:
    """Return the numbers of a text that `pack` returned.

    Raises:
        ValueError: The text has another form.
    """
    numbers: list[int] = []
    for word in text.split():
        number, _, count = word.partition("x")
        if int(count or 1) > _LONGEST_RUN:
            raise ValueError(f"has a run of {count} equal numbers")
        numbers.extend([int(number)] * int(count or 1))
    return numbers


def _nearest(chunk: JSONObject, candidates: Iterable[tuple[Stream, JSONObject]]) -> Stream | None:
    """Return the answer with the most similar chunk; None if none shares data."""
    best, least = None, len(msgspec.json.encode(difference({}, chunk)))
    for stream, candidate in candidates:
        size = len(msgspec.json.encode(difference(candidate, chunk)))
        if size < least:
            best, least = stream, size
    return best


def _shorter_end(final: Step, last: JSONObject, earlier: Iterable[Stream]) -> Step:
    """Return the last step, as changes to an earlier answer's last chunk if shorter."""
    if final.raw is not None or final.at:
        return final
    nearest = _nearest(last, [(each, each.last) for each in earlier])
    if nearest is None:
        return final
    changed, removed = difference(nearest.last, last)
    referring = Step(ends_like=nearest.number, set=changed, unset=removed)
    return min(final, referring, key=lambda step: len(msgspec.json.encode(step)))


@dataclass
class _GrowingStep:
    """A step that can be extended by chunks; its text is in pieces until it ends."""

    step: Step
    pieces: list[str] = field(default_factory=list)

    def extend(self, changed: JSONObject, removed: list[str]) -> bool:
        """Add a chunk with only the next piece of text; return whether it was added."""
        step = self.step
        if removed or step.raw is not None or len(changed) > 1:
            return False
        if not changed:  # The same piece again.
            self.pieces.extend(self.pieces[-1:])
            return bool(self.pieces)
        ((pointer, piece),) = changed.items()
        if not isinstance(piece, str):
            return False
        if not step.at and isinstance(step.set.get(pointer), str):
            step.at, self.pieces = pointer, [step.set.pop(pointer)]
        if pointer != step.at:
            return False
        self.pieces.append(piece)
        return True

    def result(self) -> Step:
        """Return the step with its text joined."""
        self.step.text = "".join(self.pieces)
        self.step.lengths = pack(len(piece) for piece in self.pieces[:-1])
        return self.step


def _pieces(text: str, lengths: str) -> Iterator[str]:
    start = 0
    for length in unpack(lengths):
        if not 0 <= length <= len(text) - start:
            raise ValueError(f"has lengths of {start + length} characters in a text of {len(text)}")
        yield text[start : start + length]
        start += length
    yield text[start:]
