"""Properties of every reply: nothing is lost, and life cycles are right (`Reply` checks them).

Neither batches nor cuts change the result.
"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.backends.http.sse import SseSplitter
from antiphon.wire.json import JSONObject
from tests.engine.looping import ScriptedModel, run
from tests.engine.replies import PLAIN, THINK, USAGE, Reply, call, chunk, raw

TEXT = st.text(min_size=1, max_size=12)
WORDS = st.text(alphabet=st.sampled_from('abcß\n {}"\\<>/🙂'), min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(WORDS, WORDS | st.integers() | st.lists(WORDS, max_size=2), max_size=3)

Kind = Literal["text", "refusal", "reasoning", "reasoning_content", "details", "summary", "calls"]


class Segment(msgspec.Struct, frozen=True):
    """Stretch of a reply: text of some kind, or a group of parallel calls."""

    kind: Kind
    text: str = ""
    calls: tuple[str, ...] = ()
    """The arguments of each call."""


SEGMENTS = st.lists(
    st.builds(
        Segment,
        st.sampled_from(["text", "refusal", "reasoning", "reasoning_content", "details", "summary"]),
        TEXT,
    )
    | st.builds(
        lambda calls: Segment("calls", calls=tuple(msgspec.json.encode(entry).decode() for entry in calls)),
        st.lists(ARGUMENTS, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=6,
)
ENDING = st.sampled_from(["stop", "tool_calls", "length", "content_filter", "eos"])
INDEXES = st.sampled_from(["dense", "gaps", "falling", "absent with ids", "zero"])


def cut(draw: st.DrawFn, text: str) -> list[str]:
    """Cut a text at any places."""
    places = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=4)))
    bounds = [0, *(place for place in places if place < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def text_chunk(kind: Kind, text: str, number: int) -> bytes:
    deltas: dict[Kind, JSONObject] = {
        "text": {"content": text},
        "refusal": {"refusal": text},
        "reasoning": {"reasoning": text},
        "reasoning_content": {"reasoning_content": text},
        "details": {"reasoning_details": [{"type": "reasoning.text", "text": text}]},
        "summary": {"reasoning_details": [{"type": "reasoning.summary", "summary": text, "index": number}]},
    }
    return chunk(**deltas[kind])


def call_chunks(draw: st.DrawFn, arguments: Sequence[str], first: int, style: str) -> list[bytes]:
    """Return the deltas of parallel calls, interleaved where indexes or ids tell the calls apart."""
    queues: list[list[bytes]] = []
    for position, text in enumerate(arguments):
        number = first + position
        index = {"dense": number, "gaps": 3 * number + 2, "falling": -number, "zero": 0}.get(style)
        call_id = f"id{number}" if style == "absent with ids" else None
        pieces = [call(index, f"id{number}", f"f{number}", draw(st.sampled_from([None, ""])))]
        pieces += [call(index, call_id, None, piece) for piece in cut(draw, text)]
        queues.append(pieces)
    if style == "zero":
        return [piece for queue in queues for piece in queue]
    chunks = [queue.pop(0) for queue in queues]
    while any(queues):
        chunks.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    return chunks


@st.composite
def written(draw: st.DrawFn, segments: list[Segment], style: str, ending: str) -> list[bytes]:
    """Return one way to write the reply of these segments in chunks."""
    chunks, calls = [chunk(role="assistant", content="")], 0
    for number, segment in enumerate(segments):
        if segment.kind == "calls":
            chunks += call_chunks(draw, segment.calls, calls, style)
            calls += len(segment.calls)
        else:
            chunks += [text_chunk(segment.kind, piece, number) for piece in cut(draw, segment.text)]
        if draw(st.booleans()):
            chunks.append(draw(st.sampled_from([raw({}), chunk(content=""), raw({"choices": []})])))
    return [*chunks, chunk(ending), USAGE]


def expected(segments: list[Segment]) -> list[JSONObject]:
    """Return the expected items of the reply, derived without a stream."""
    items: list[JSONObject] = []
    for segment in segments:
        if segment.kind == "calls":
            items += [{"type": "function_call", "arguments": arguments} for arguments in segment.calls]
        elif segment.kind in ("text", "refusal"):
            parts: list[list[str]] = _last(items, "message", {"parts": []})["parts"]
            if parts and parts[-1][0] == segment.kind:
                parts[-1][1] += segment.text
            else:
                parts.append([segment.kind, segment.text])
        else:
            reasoning = _last(items, "reasoning", {"text": "", "summaries": []})
            if segment.kind == "summary":
                reasoning["summaries"].append(segment.text)
            else:
                reasoning["text"] += segment.text
    return items


def _last(items: list[JSONObject], kind: str, empty: JSONObject) -> JSONObject:
    """Return the last item if it is of this kind, else a new one."""
    if not items or items[-1]["type"] != kind:
        items.append({"type": kind} | empty)
    return items[-1]


def found(items: list[JSONObject]) -> list[JSONObject]:
    """Return the items of an assembled reply in the form of `expected`."""
    views: list[JSONObject] = []
    for item in items:
        if item["type"] == "function_call":
            views.append({"type": "function_call", "arguments": item["arguments"]})
        elif item["type"] == "message":
            parts = [
                ["text", part["text"]] if part["type"] == "output_text" else ["refusal", part["refusal"]]
                for part in item["content"]
            ]
            views.append({"type": "message", "parts": parts})
        else:
            text = "".join(part["text"] for part in item.get("content", []))
            summaries = [part["text"] for part in item["summary"]]
            views.append({"type": "reasoning", "text": text, "summaries": summaries})
    return views


@st.composite
def replies(draw: st.DrawFn) -> tuple[list[Segment], list[bytes]]:
    """Return segments and one way to write them."""
    segments, style, ending = draw(SEGMENTS), draw(INDEXES), draw(ENDING)
    if ending == "tool_calls" and not any(segment.calls for segment in segments):
        ending = "stop"
    return segments, draw(written(segments, style, ending))


@settings(max_examples=300, deadline=None)
@given(replies())
def test_nothing_is_lost_and_nothing_is_invented(reply: tuple[list[Segment], list[bytes]]) -> None:
    segments, chunks = reply
    assembled = Reply([payload] for payload in chunks)
    assert assembled.failure is None
    assert found(assembled.items) == expected(segments)


@settings(deadline=None)
@given(replies(), st.integers(1, 7))
def test_batches_do_not_matter(reply: tuple[list[Segment], list[bytes]], size: int) -> None:
    _, chunks = reply
    batches = [chunks[start : start + size] for start in range(0, len(chunks), size)]
    assert Reply(batches).events == Reply([chunks]).events == Reply([payload] for payload in chunks).events


@settings(deadline=None)
@given(replies(), st.lists(st.integers(1, 90), min_size=1))
def test_any_cut_of_the_bytes_gives_the_same_events(
    reply: tuple[list[Segment], list[bytes]], sizes: list[int]
) -> None:
    _, chunks = reply
    upstream = b"".join(b"data: " + payload + b"\n\n" for payload in chunks) + b"data: [DONE]\n\n"
    splitter, batches, start = SseSplitter(), list[list[bytes]](), 0
    for size in sizes:
        batches.append(splitter.feed(upstream[start : start + size]))
        start += size
    batches.append(splitter.feed(upstream[start:]))
    assert Reply(batches).events == Reply([chunks]).events


@settings(deadline=None)
@given(
    st.data(),
    st.lists(st.sampled_from(["<think>", "</think>", "<", "a", "b c", "\n", "ß", "</th"]), min_size=1),
)
def test_any_cut_of_a_text_with_think_tags_gives_the_same_items(
    data: st.DataObject, parts: list[str]
) -> None:
    text = "".join(parts)
    pieces = data.draw(st.composite(cut)(text))
    whole = Reply([[chunk(content=text), chunk("stop")]], THINK)
    in_pieces = Reply([[*(chunk(content=piece) for piece in pieces), chunk("stop")]], THINK)
    assert found(in_pieces.items) == found(whole.items)


JUNK = st.builds(
    call,
    st.none() | st.integers(-1, 2),
    st.none() | st.sampled_from(["", "a", "b"]),
    st.none() | st.sampled_from(["", "f", "g"]),
    st.none() | st.sampled_from(["", "{", "}", "{}", " ", '{"x":1}', ":"]) | ARGUMENTS,
) | st.builds(
    lambda kind, text: text_chunk(kind, text, 0),
    st.sampled_from(["text", "refusal", "reasoning", "details", "summary"]),
    WORDS,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(JUNK, max_size=12), st.sampled_from(["stop", "tool_calls", "length", None]))
def test_senseless_deltas_keep_all_life_cycles_and_lose_nothing(
    chunks: list[bytes], ending: str | None
) -> None:
    reply = Reply([*([payload] for payload in chunks), [chunk(ending)]], PLAIN)
    if reply.failure is not None:
        return
    deltas = [msgspec.json.decode(payload)["choices"][0]["delta"] for payload in chunks]
    said = "".join(d.get("content", "") for d in deltas), "".join(d.get("refusal", "") for d in deltas)
    parts = [part for item in reply.items if item["type"] == "message" for part in item["content"]]
    assert said == (
        "".join(part.get("text", "") for part in parts),
        "".join(part.get("refusal", "") for part in parts),
    )
    assert sorted(_arguments_sent(deltas)) == sorted(
        "".join(arguments for _, _, arguments in reply.calls()).replace(" ", "")
    )
    ids = [call_id for call_id, _, _ in reply.calls()]
    assert len(ids) == len(set(ids))


def _arguments_sent(deltas: list[JSONObject]) -> str:
    """Return all arguments of all calls, without the blanks that may be dropped after complete ones."""
    sent = ""
    for delta in deltas:
        for entry in delta.get("tool_calls", []):
            arguments = entry["function"].get("arguments", "")
            sent += arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
    return sent.replace(" ", "")


@settings(deadline=None)
@given(replies(), st.integers(1, 5), st.booleans())
def test_sequence_numbers_are_contiguous_and_the_last_event_alone_is_terminal(
    reply: tuple[list[Segment], list[bytes]], size: int, is_cut: bool
) -> None:
    _, chunks = reply
    if is_cut:
        chunks = chunks[:-2]
    batches = [chunks[start : start + size] for start in range(0, len(chunks), size)]
    events = asyncio.run(run(ScriptedModel(batches)))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    terminal = {"response.completed", "response.incomplete", "response.failed"}
    assert [kind in terminal for kind in kinds] == [False] * (len(kinds) - 1) + [True]
    assert (kinds[-1] == "response.failed") == is_cut
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    output = events[-1]["response"]["output"]
    assert output[: len(done)] == done
    assert is_cut or len(output) == len(done)
