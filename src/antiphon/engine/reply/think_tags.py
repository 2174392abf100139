"""Separation of the reasoning in `<think>` tags from the text after it."""

from typing import Literal

from antiphon.wire.chat import ContentPiece

OPEN = "<think>"
CLOSE = "</think>"

Piece = tuple[Literal["reasoning", "text"], str]


class ThinkSplitter:
    """A splitter for streamed text that may begin with `<think>...</think>`.

    The stream may split the tags anywhere. A tag starts reasoning only at the beginning of the text, after
    optional white space: later tags belong to the text. White space around the tags is dropped. Once `plain`
    is true, all further text is plain, and the splitter isn't needed.
    """

    def __init__(self) -> None:
        self.plain = False
        self._state: Literal["start", "inside", "after"] = "start"
        self._has_reasoning = False
        self._held = ""

    def passes(self, text: str) -> bool:
        """Return whether `text` and all text after it is plain; otherwise `feed` it."""
        if not (self.plain or self._held) and self._state == "start":
            self.plain = text.lstrip()[:1] not in ("", OPEN[0])
        return self.plain

    def feed(self, text: str) -> list[Piece]:
        """Return the parts that are certain so far; none while a tag may be incomplete."""
        self._held += text
        pieces: list[Piece] = []
        if self._state == "start":
            self._begin(pieces)
        if self._state == "inside":
            self._inside(pieces)
        if self._state == "after":
            self._after(pieces)
        return pieces

    def flush(self) -> list[Piece]:
        """Return the text held back, at the end of the stream or before other output."""
        held, self._held = self._held, ""
        if not held or self._state == "after":
            return []
        return [("reasoning" if self._state == "inside" else "text", held)]

    def _begin(self, pieces: list[Piece]) -> None:
        beginning = self._held.lstrip()
        if beginning.startswith(OPEN):
            self._state = "inside"
            self._held = beginning[len(OPEN) :]
        elif not OPEN.startswith(beginning):
            self._release(pieces)

    def _inside(self, pieces: list[Piece]) -> None:
        if not self._has_reasoning:
            self._held = self._held.lstrip()
        reasoning, tag, rest = self._held.partition(CLOSE)
        if tag:
            self._state = "after"
            reasoning, self._held = reasoning.rstrip(), rest
        else:
            certain = _certain(reasoning)
            reasoning, self._held = reasoning[:certain], reasoning[certain:]
        if reasoning:
            self._has_reasoning = True
            pieces.append(("reasoning", reasoning))

    def _after(self, pieces: list[Piece]) -> None:
        self._held = self._held.lstrip()
        if self._held:
            self._release(pieces)

    def _release(self, pieces: list[Piece]) -> None:
        self.plain = True
        pieces.append(("text", self._held))
        self._held = ""


def _certain(text: str) -> int:
    """Return the length of `text` without a possible start of the closing tag.

    White space before the tag belongs to it.
    """
    longest = min(len(CLOSE) - 1, len(text))
    cut = next((length for length in range(longest, 0, -1) if text.endswith(CLOSE[:length])), 0)
    return len(text[: len(text) - cut].rstrip())


def pieces_of(content: list[ContentPiece]) -> list[Piece]:
    """Return the pieces of content that separates thinking from text itself."""
    pieces: list[Piece] = []
    for piece in content:
        thinking = piece.thinking
        if isinstance(thinking, list):
            thinking = "".join(inner.text or "" for inner in thinking)
        if thinking:
            pieces.append(("reasoning", thinking))
        if piece.text:
            pieces.append(("text", piece.text))
    return pieces
