"""Heads of calls, which are read without requests and answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import BACKEND, Address, RecordedCall
from antiphon.recording.files import scope_file
from antiphon.recording.files.folder import Files
from antiphon.recording.files.heads import Head, head_of, read_heads
from antiphon.recording.files.shelf import parse
from tests.recording.files.test_scope_file import agent_run, streamed
from tests.recording.samples import chat_request, recordings


def both(directory: Path) -> Iterator[tuple[list[Head] | None, list[Head]]]:
    """Yield the heads of each file, and the heads of its calls that were read as a whole."""
    for content, source in Files(directory, []):
        calls = parse(bytes(content), source, [])
        yield read_heads(content, source.name, lambda address: address), [head_of(call) for call in calls]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["llama-stack", "seeds"])
def test_real_files_have_the_heads_of_their_calls(name: str) -> None:
    compared = 0
    for heads, expected in both(recordings(name)):
        assert heads == expected
        compared += len(expected)
    assert compared > 0


def test_calls_that_share_their_requests_have_their_own_heads(tmp_path: Path) -> None:
    first, *rest = agent_run(6)
    elsewhere = Address(metadata={BACKEND: "other"})
    calls = [
        first,
        *rest,
        replace(rest[-1], request={**rest[-1].request, "model": "large"}),
        replace(rest[-1], address=elsewhere),
        replace(rest[-1], request={name: rest[-1].request[name] for name in ("messages", "tools")}),
        streamed(request=chat_request(model=7)),
        RecordedCall(kind="tool", request={"query": "ferries"}, address=Address(provider="brave")),
    ]
    scope_file.write(tmp_path / "s.json", "s", [replace(call, scope="s") for call in calls])
    ((heads, expected),) = both(tmp_path)
    assert heads == expected
    assert [head.model for head in expected[-5:]] == ["large", "small", None, None, None]
    assert expected[-4].address == elsewhere


def test_equal_addresses_are_shared(tmp_path: Path) -> None:
    calls = [streamed(str(number), address=Address(metadata={BACKEND: "up"})) for number in range(3)]
    scope_file.write(tmp_path / "a.json", "a", calls)
    scope_file.write(tmp_path / "b.json", "b", calls)
    known: dict[bytes, Address] = {}

    def share(address: Address) -> Address:
        return known.setdefault(msgspec.json.encode(address), address)

    heads: list[Head] = []
    for content, source in Files(tmp_path, []):
        heads += read_heads(content, source.name, share) or ()
    assert len({id(head.address) for head in heads}) == 1
    assert len(heads) == 6


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"antiphon_recordings": 99, "scope": "s", "calls": []}',
        b'{"antiphon_recordings": 1, "scope": "s", "calls": [{"call": 1, "like": 7}]}',
        b'{"antiphon_recordings": 1, "scope": "s", "calls": ["',
        b"\xff\xfe",
    ],
)
def test_other_files_have_to_be_read_as_a_whole(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert read_heads(memoryview(content), "x.json", lambda address: address) is None
    ((_, source),) = Files(tmp_path, [])
    with pytest.raises(ConfigError):
        parse(content, source, [])
