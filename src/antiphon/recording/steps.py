"""A stream of chunks as a few steps: what is constant once, text as text, and the points where it was cut.

Each step changes the chunk before it. `set` and `unset` say what (`patches.py`); a step with `text` stands
for as many chunks as it has pieces, each with its piece of the text at the pointer `at`. `lengths` are the
pieces' lengths in characters, without the last one's. So text, function arguments, reasoning and refusals
fold alike, and anything unusual (log probabilities, a backend's own fields) stays as it was.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from antiphon.recording.patches import apply, difference, locate
from antiphon.wire.json import JSONObject

_PADDING = "obfuscation"
"""Random characters that OpenAI adds to a chunk to hide its length on the wire; they carry nothing."""
_object_decoder = msgspec.json.Decoder(JSONObject)


class Step(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One step from chunk to chunk, or a chunk that is no JSON object.

    `raw` is such a chunk's bytes, read as Latin-1; the next step goes on from the chunk before it.
    """

    set: JSONObject = {}
    unset: list[str] = []
    at: str = ""
    text: str = ""
    lengths: str = ""
    raw: str | None = None


def fold(parts: Iterable[Raw], start: JSONObject) -> list[Step]:
    """Returns the steps from `start` (an earlier stream's first chunk, or empty) through all parts."""
    steps: list[_Growing] = []
    before = start
    for part in parts:
        chunk = parse(part)
        if chunk is None:
            steps.append(_Growing(raw=bytes(part).decode("latin-1")))
            continue
        changed, removed = difference(before, chunk)
        if not (steps and steps[-1].takes(changed, removed)):
            steps.append(_Growing(changed, removed))
        before = chunk
    return [step.result() for step in steps]


def unfold(steps: Iterable[Step], start: JSONObject) -> Iterator[Raw]:
    """Yields the parts again, as compact JSON; `start` is changed. Raises ValueError for a broken step."""
    for step in steps:
        if step.raw is not None:
            yield Raw(step.raw.encode("latin-1"))
            continue
        apply(start, step.set, step.unset)
        if not step.at:
            yield Raw(msgspec.json.encode(start))
            continue
        holder, key = locate(start, step.at)
        for piece in _pieces(step.text, step.lengths):
            holder[key] = piece
            yield Raw(msgspec.json.encode(start))


def parse(part: Raw) -> JSONObject | None:
    """Returns a chunk without its padding; None when it is no JSON object."""
    try:
        chunk = _object_decoder.decode(part)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    choices = chunk.get("choices")
    for holder in [chunk, *(choices if isinstance(choices, list) else [])]:
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
        numbers.extend([int(number)] * int(count or 1))
    return numbers


class _Growing:
    """A step to which further chunks may be added."""

    def __init__(
        self, changed: JSONObject | None = None, removed: list[str] | None = None, raw: str | None = None
    ) -> None:
        self._set = changed or {}
        self._unset = removed or []
        self._raw = raw
        self._at = ""
        self._pieces: list[str] = []

    def takes(self, changed: JSONObject, removed: list[str]) -> bool:
        """Adds a chunk if it only brings the next piece of the step's text; tells whether it did."""
        if removed or self._raw is not None or len(changed) > 1:
            return False
        if not changed:  # The same piece once more.
            if self._at:
                self._pieces.append(self._pieces[-1])
            return bool(self._at)
        ((pointer, piece),) = changed.items()
        if not isinstance(piece, str):
            return False
        if not self._at and isinstance(first := self._set.get(pointer), str):
            del self._set[pointer]
            self._at, self._pieces = pointer, [first]
        if pointer != self._at:
            return False
        self._pieces.append(piece)
        return True

    def result(self) -> Step:
        lengths = pack(len(piece) for piece in self._pieces[:-1])
        return Step(self._set, self._unset, self._at, "".join(self._pieces), lengths, self._raw)


def _pieces(text: str, lengths: str) -> Iterator[str]:
    start = 0
    for length in unpack(lengths):
        if not 0 <= length <= len(text) - start:
            raise ValueError(f"lengths of {start + length} characters in a text of {len(text)}")
        yield text[start : start + length]
        start += length
    yield text[start:]
