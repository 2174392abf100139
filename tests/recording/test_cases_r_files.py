"""Conformance cases about the files of recordings, R15 to R19, through the server."""

import difflib
import json
from pathlib import Path

import pytest

from antiphon.recording.care.check import check, read_hits
from antiphon.testing import serve
from antiphon.wire.json import JSON, JSONObject
from tests.recording.case_world import ask, calling, chat, chat_body, recording, said, words
from tests.recording.samples import recording as llama_stack_file
from tests.recording.samples import write
from tests.server.client import post
from tests.support.upstream import Answer, chunk, completion, reply, sse

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"  # gitleaks:allow


def tool(**function: JSON) -> JSONObject:
    """Return a function tool."""
    return {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, **function}}


def said_before(**message: JSON) -> JSONObject:
    """Return a body with a message between the question and its sequel."""
    return {"messages": [{"role": "user", "content": "Hello"}, message, {"role": "user", "content": "Go on"}]}


CALL: JSONObject = {
    "id": "1",
    "type": "function",
    "function": {"name": "f", "arguments": json.dumps({"x": SECRET})},
}
ASKED: dict[str, JSONObject] = {
    "question": chat_body(f"My token is {SECRET}."),
    "part of a message": {"messages": [{"role": "user", "content": [{"type": "text", "text": SECRET}]}]},
    "arguments of an earlier call": said_before(role="assistant", tool_calls=[CALL]),
    "result of a tool": said_before(role="tool", tool_call_id="1", content=json.dumps({"token": SECRET})),
    "description of a tool": {"tools": [tool(description=f"Use {SECRET}")]},
    "schema of a tool": {"tools": [tool(parameters={"type": "string", "enum": [SECRET]})]},
    "response format": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"const": SECRET}}}
    },
    "metadata": {"metadata": {"deploy": SECRET}},
}
ANSWERED: dict[str, Answer] = {
    "answer": reply(completion(f"It is {SECRET}")),
    "pieces of a stream": sse(*(chunk(SECRET[at : at + 7]) for at in range(0, 40, 7)), chunk(finish="stop")),
    "arguments in a stream": calling("f", {"token": SECRET}),
    "error": reply({"error": {"message": f"{SECRET} is not allowed"}}, status=400),
}


def test_R15_planted_secrets_are_never_written(tmp_path: Path) -> None:
    assert len(ASKED) + len(ANSWERED) == 12
    for place, body in ASKED.items():
        with recording(tmp_path, reply(completion())) as (server, upstream):
            refused = post(server.url, "/chat/completions", {**chat_body(), **body})
            assert said(refused) == "secret_in_recording", place
            assert SECRET not in refused.error["message"]
            assert upstream.chats == []
    for place, answer in ANSWERED.items():
        with recording(tmp_path, answer) as (server, upstream):
            streamed = answer.headers["Content-Type"] == "text/event-stream"
            told = post(server.url, "/chat/completions", chat_body(stream=streamed)).body.decode()
            assert "secret_in_recording" in told, place
            assert len(upstream.chats) == 1
    assert not list(tmp_path.rglob("*"))


def turns(directory: Path, count: int) -> list[list[str]]:
    """Record a conversation and return the lines of its file after each turn."""
    answers = [words(f"Answer {turn}: ", *(f"{word} " for word in ANSWER.split())) for turn in range(count)]
    lines: list[list[str]] = []
    with recording(directory, *answers) as (server, _):
        last: JSON = None
        for turn in range(count):
            asked = {"instructions": INSTRUCTIONS, "tools": [TOOL], "previous_response_id": last}
            last = ask(server.url, f"Question {turn}: {QUESTION}", **asked).last["id"]
            lines.append((directory / "default.json").read_text().splitlines())
    return lines


INSTRUCTIONS = (
    "You are the guide of a small town and answer in whole sentences, with numbers where you know them."
)
QUESTION = "how far is it from the station to the old harbor, and is there a bus that goes there on Sundays?"
ANSWER = (
    "It is about two miles from the station to the old harbor, which is half an hour on foot along the "
    "river. On Sundays the bus number 4 goes there every twenty minutes from nine in the morning until eight "
    "in the evening, and the last one back leaves the harbor at a quarter past eight from the stop beside "
    "the lighthouse. A ticket costs three euros, and children who are younger than six go free of charge."
)
TOOL: JSONObject = {
    "type": "function",
    "name": "timetable",
    "description": "Returns the departures of a bus line on a day of the week.",
    "parameters": {"type": "object", "properties": {"line": {"type": "integer"}, "day": {"type": "string"}}},
    "strict": False,
}


def test_R16_an_added_turn_is_a_turn_sized_diff(tmp_path: Path) -> None:
    *_, before, after = turns(tmp_path, 7)
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert [line for line in changes if line[0] == "-"] in ([], ["-   }"])
    block = after[after.index('   "call": 7,') - 1 :]
    assert len(changes) <= len(block) + 5
    # The block has only the turn: the last reply, the new question, and its answer.
    added = "\n".join(line[2:] for line in changes if line[0] == "+")
    assert added.count("Answer 5") == added.count("Question 6") == added.count("Answer 6") == 1
    assert not [each for each in ("Question 5", INSTRUCTIONS, "timetable", "chatcmpl") if each in added]
    assert len(added) <= 2 * len(f"Answer 5: {ANSWER}Question 6: {QUESTION}Answer 6: {ANSWER}")


def test_R17_a_file_takes_at_most_twice_the_text_that_it_holds(tmp_path: Path) -> None:
    size = len("\n".join(turns(tmp_path, 10)[-1]))
    text = (
        INSTRUCTIONS
        + json.dumps(TOOL)
        + "".join(f"Question {turn}: {QUESTION}{ANSWER}" for turn in range(10))
    )
    # All answers except the last are also in the requests that follow them.
    assert size <= 2 * len(text + 9 * ANSWER)


def test_R18_check_finds_what_is_unused_and_what_is_stale(tmp_path: Path) -> None:
    with recording(tmp_path, words("A"), words("B")) as (server, _):
        ask(server.url, "used")
        ask(server.url, "unused")
    stale = {**chat_body("stale"), "model": "m"}
    write(tmp_path, f"{'0' * 64}.json", llama_stack_file(stale, completion("C")))
    hits = tmp_path / "hits.jsonl"
    with serve(tmp_path, hit_log=str(hits)) as server:
        assert said(ask(server.url, "used", stream=False)) == "A"
        # A stale recording answers here, although llama-stack would not find it.
        assert said(post(server.url, "/chat/completions", stale)) == "C"
    problems = {(problem.kind, problem.names) for problem in check(tmp_path, read_hits(hits))}
    assert problems == {("unused", ("default.json#2",)), ("stale", (f"{'0' * 64}.json",))}


OLD = """{
 "antiphon_recordings": 1,
 "scope": "default",
 "calls": [
  {
   "call": 1,
   "request": {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
   "chunks": [
    {"set": {"/id": "a", "/choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": null}]}},
    {"at": "/choices/0/delta/content", "text": "Hi there!", "lengths": "2 6"},
    {"set": {"/choices/0/delta": {}, "/choices/0/finish_reason": "stop"}}
   ]
  },
  {
   "call": 2,
   "like": 1,
   "kept_messages": 1,
   "request": {
    "messages": [{"role": "assistant", "content": "Hi there!"}, {"role": "user", "content": "Bye"}]
   },
   "reply": {"id": "b", "choices": [{"index": 0, "message": {"content": "Bye."}, "finish_reason": "stop"}]}
  }
 ]
}
"""
"""A file as the first version wrote it."""


@pytest.mark.parametrize("streamed", [True, False])
def test_R19_a_file_of_the_first_version_answers(streamed: bool, tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text(OLD)
    with serve(tmp_path) as server:
        assert said(chat(server.url)) == "Hi there!"
        second = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi there!"},
            {"role": "user", "content": "Bye"},
        ]
        answer = post(server.url, "/chat/completions", {"model": "m", "messages": second, "stream": streamed})
        assert answer.status == 200
        assert b"Bye." in answer.body
