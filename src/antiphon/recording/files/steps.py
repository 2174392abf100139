"""A stream of chunks as a few steps: what is constant once, text as text, and the points where it was cut.

Each step changes the chunk before it, or the first or last chunk of an earlier stream. `set` and `unset` say
what (`patches.py`); a step with `text` stands for as many chunks as it has pieces, each with its piece of the
text at the pointer `at`. `lengths` are the pieces' lengths in characters, without the last one's. So text,
function arguments, reasoning and refusals fold alike, and anything unusual (log probabilities, a backend's
own fields) stays as it was.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from antiphon.recording.files.patches import apply, difference, locate
from antiphon.wire.json import JSON, JSONObject

_PADDING = "obfuscation"
"""Random characters that OpenAI adds to a chunk to hide its length on the wire; they carry nothing."""
_LONGEST_RUN = 1_000_000
"""More chunks than any stream has; a file that says so is broken, or means harm."""
_object_decoder = msgspec.json.Decoder(JSONObject)


class Step(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One step from chunk to chunk, or a chunk that is no JSON object.

    `raw` is such a chunk's bytes, read as Latin-1; the next step goes on from the chunk before it. With
    `starts_like` or `ends_like` a step changes the first or the last chunk of the call with that number; an
    answer in one piece is both.
    """

    starts_like: int | None = None
    ends_like: int | None = None
    set: JSONObject = {}
    unset: list[str] = []
    at: str = ""
    text: str = ""
    lengths: str = ""
    raw: str | None = None


@dataclass(frozen=True)
class Stream:
    """The first and the last chunk of an earlier answer, and the number of its call."""

    number: int
    first: JSONObject
    last: JSONObject


def fold(parts: Sequence[Raw], earlier: Iterable[Stream]) -> list[Step]:
    """Returns the steps that tell the parts; `earlier` are the answers that they may be likened to.

    The first and the last step are likened each to the answer that leaves the least to be told.
    """
    steps: list[_Growing] = []
    like: Stream | None = None
    before: JSONObject | None = None
    for part in parts:
        chunk = parse(part)
        if chunk is None:
            steps.append(_Growing(Step(raw=bytes(part).decode("latin-1"))))
            continue
        if before is None:
            like = _nearest(chunk, [(each, each.first) for each in earlier])
            before = {} if like is None else like.first
        changed, removed = difference(before, chunk)
        if not (steps and steps[-1].takes(changed, removed)):
            number = None if like is None else like.number
            steps.append(_Growing(Step(starts_like=number, set=changed, unset=removed)))
            like = None
        before = chunk
    told = [step.result() for step in steps]
    if len(told) > 1 and before is not None:
        told[-1] = _shorter_end(told[-1], before, earlier)
    return told


def unfold(steps: Iterable[Step], streams: Mapping[int, tuple[Raw, Raw]]) -> Iterator[Raw]:
    """Yields the parts again, as compact JSON; `streams` are the first and last parts of earlier calls.

    Raises ValueError for a step that leads nowhere.
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
    """Returns how many parts steps tell, the first and the last, without those between; raises as `unfold`.

    Of no parts the first and the last are empty.
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
    """Yields the chunk after each step; where it has text, also the place of that, and its pieces.

    Whoever takes a step sets the place to each piece, or to the last one alone.
    """
    chunk: JSONObject = {}
    for step in steps:
        if step.raw is not None:
            yield step.raw.encode("latin-1"), None, []
            continue
        number = step.ends_like if step.starts_like is None else step.starts_like
        if number is not None:
            if number not in streams:
                raise ValueError(f"begins or ends like call {number}, which has no chunks before it")
            chunk = _object_decoder.decode(streams[number][step.starts_like is None])
        if step.set or step.unset:
            # What is set becomes part of the chunk, which later steps change; the step itself stays.
            apply(chunk, _object_decoder.decode(msgspec.json.encode(step.set)), step.unset)
        yield (
            (chunk, locate(chunk, step.at), list(_pieces(step.text, step.lengths)))
            if step.at
            else (chunk, None, [])
        )


def parse(part: Raw) -> JSONObject | None:
    """Returns a JSON object, and a chunk without its padding; None for anything else."""
    try:
        chunk = _object_decoder.decode(part)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    choices = chunk.get("choices")
    if isinstance(choices, list):  # What has none is no chunk, and may mean something by the word.
        for holder in [chunk, *choices]:
            if isinstance(holder, dict) and isinstance(holder.get(_PADDING), str):
                del holder[_PADDING]
    return chunk


def pack(numbers: Iterable[int]) -> str:
    """Writes numbers with spaces between them; `3x5` is five times 3."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][0] == number:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return " ".join(str(number) if count == 1 else f"{number}x{count}" for number, count in runs)


def unpack(text: str) -> list[int]:
    """Reads what `pack` writes; raises ValueError for anything else."""
    numbers: list[int] = []
    for word in text.split():
        number, _, count = word.partition("x")
        if int(count or 1) > _LONGEST_RUN:
            raise ValueError(f"a run of {count}")
        numbers.extend([int(number)] * int(count or 1))
    return numbers


def _nearest(chunk: JSONObject, likes: Iterable[tuple[Stream, JSONObject]]) -> Stream | None:
    """Returns the answer whose chunk leaves the least to be told of this one, or None: nothing is shared."""
    best, least = None, len(msgspec.json.encode(difference({}, chunk)))
    for stream, like in likes:
        told = len(msgspec.json.encode(difference(like, chunk)))
        if told < least:
            best, least = stream, told
    return best


def _shorter_end(final: Step, last: JSONObject, earlier: Iterable[Stream]) -> Step:
    """Returns the last step, told from the last chunk of an earlier answer where that says less."""
    if final.raw is not None or final.at:
        return final
    nearest = _nearest(last, [(each, each.last) for each in earlier])
    if nearest is None:
        return final
    changed, removed = difference(nearest.last, last)
    likened = Step(ends_like=nearest.number, set=changed, unset=removed)
    return min(final, likened, key=lambda step: len(msgspec.json.encode(step)))


@dataclass
class _Growing:
    """A step to which further chunks may be added; its text is in pieces until it ends."""

    step: Step
    pieces: list[str] = field(default_factory=list)

    def takes(self, changed: JSONObject, removed: list[str]) -> bool:
        """Adds a chunk if it only brings the next piece of the step's text; tells whether it did."""
        step = self.step
        if removed or step.raw is not None or len(changed) > 1:
            return False
        if not changed:  # The same piece once more.
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
        """Returns the step with its text joined."""
        self.step.text = "".join(self.pieces)
        self.step.lengths = pack(len(piece) for piece in self.pieces[:-1])
        return self.step


def _pieces(text: str, lengths: str) -> Iterator[str]:
    start = 0
    for length in unpack(lengths):
        if not 0 <= length <= len(text) - start:
            raise ValueError(f"lengths of {start + length} characters in a text of {len(text)}")
        yield text[start : start + length]
        start += length
    yield text[start:]
