"""Parts of an answer, which are counted at once and read once."""

import pytest
from msgspec import Raw

from antiphon.errors import RecordingNotReadable
from antiphon.recording.files.folder import LazyParts


def test_parts_are_read_when_they_are_asked_for_and_once() -> None:
    reads = []

    def read() -> tuple[Raw, ...]:
        reads.append(1)
        return Raw(b"1"), Raw(b"2"), Raw(b"3")

    parts = LazyParts(3, read)
    assert (len(parts), bool(parts), reads) == (3, True, [])
    assert [bytes(part) for part in parts] == [b"1", b"2", b"3"]
    assert (bytes(parts[-1]), [bytes(part) for part in parts[:1]], reads) == (b"3", [b"1"], [1])


def test_an_error_of_the_reader_is_reported_each_time() -> None:
    def read() -> tuple[Raw, ...]:
        raise RecordingNotReadable("gone")

    parts = LazyParts(1, read)
    for _ in range(2):
        with pytest.raises(RecordingNotReadable, match="gone"):
            parts[0]
