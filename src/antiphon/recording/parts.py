"""The parts of a recorded answer, read when they are first asked for: most of a folder never are."""

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from msgspec import Raw


class LazyParts(Sequence[Raw]):
    """As many parts as were counted when their file was read; `read` gives them, once."""

    def __init__(self, count: int, read: Callable[[], Sequence[Raw]]) -> None:
        """`read` raises `RecordingNotReadable` when the parts are not there any more."""
        self._count = count
        self._read: Callable[[], Sequence[Raw]] | None = read
        self._parts: Sequence[Raw] = ()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Raw]:
        return iter(self._all())

    @overload
    def __getitem__(self, position: int) -> Raw: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Raw]: ...
    def __getitem__(self, position: int | slice) -> Raw | Sequence[Raw]:
        return self._all()[position]

    def _all(self) -> Sequence[Raw]:
        if self._read is not None:
            self._parts, self._read = self._read(), None
        return self._parts
