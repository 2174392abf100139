"""Citations in the events and items of a reply."""

import msgspec

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.reply.citations import Sources
from antiphon.engine.reply.links import url_key
from antiphon.wire.json import JSONObject
from tests.engine.replies import STOP, Reply, assemble, chunk, raw

FED = "https://www.fed.gov/rates.htm"
SOURCES = Sources({str(url_key(FED)): "Rates"}, {"file-1": "one.txt"})
CITING = AssemblyOptions(source="backend/model", sources=SOURCES, logprobs=True)
FILE: JSONObject = {"type": "file_citation", "file_id": "file-1", "filename": "one.txt"}


def told(reply: Reply) -> list[str | JSONObject]:
    """Return the deltas, with the annotations between them."""
    return [
        event["delta"] if event["type"].endswith(".delta") else event["annotation"]
        for event in reply.events
        if event["type"].endswith((".delta", ".annotation.added"))
    ]


def parts(reply: Reply) -> list[JSONObject]:
    return [part for item in reply.items for part in item["content"]]


def test_an_annotation_comes_right_after_the_delta_that_ends_the_cited_text() -> None:
    """The events match api.openai.com's in the recording a-max-tool-calls-web-search-v1."""
    deltas = ["2.4%. ", f"([fed.gov]({FED}?utm_source=openai))  \n- 10", "-year"]
    web_only = AssemblyOptions(source="backend/model", sources=Sources(SOURCES.titles, {}))
    reply = assemble(*(chunk(content=delta) for delta in deltas), STOP, options=web_only)
    link: JSONObject = {
        "type": "url_citation",
        "start_index": 6,
        "end_index": 66,
        "title": "Rates",
        "url": f"{FED}?utm_source=openai",
    }
    assert told(reply) == [deltas[0], deltas[1], link, deltas[2]]
    assert parts(reply) == [
        {"type": "output_text", "text": "".join(deltas), "annotations": [link], "logprobs": []}
    ]


def test_marks_are_taken_out_and_counted_over_the_part() -> None:
    reply = assemble(
        *(chunk(content=delta) for delta in ["One <|", "file-1", "|>. Two", " <|file-1|>", "."]),
        STOP,
        options=CITING,
    )
    one, two = FILE | {"index": 3}, FILE | {"index": 8}
    assert told(reply) == ["One", ". Two", one, two, "."]
    indices = [event["annotation_index"] for event in reply.events if "annotation" in event]
    assert indices == [0, 1]
    assert parts(reply) == [
        {"type": "output_text", "text": "One. Two.", "annotations": [one, two], "logprobs": []}
    ]


def test_what_is_held_back_is_sent_at_the_end_of_the_part() -> None:
    reply = assemble(chunk(content="See file-1"), chunk(content=" <|fi"), STOP, options=CITING)
    note = FILE | {"index": 4}
    assert told(reply) == ["See file-1", " <|fi", note]
    assert reply.texts() == ["See file-1 <|fi"]


def test_each_part_counts_from_zero() -> None:
    reply = assemble(
        chunk(content="A <|file-1|>"),
        chunk(refusal="No <|file-1|>"),
        chunk(content="<|file-1|>"),
        STOP,
        options=CITING,
    )
    assert told(reply) == ["A", FILE | {"index": 1}, "No <|file-1|>", FILE | {"index": 0}]
    assert [part.get("annotations") for part in parts(reply)] == [
        [FILE | {"index": 1}],
        None,
        [FILE | {"index": 0}],
    ]


def test_a_broken_reply_keeps_what_was_held_back() -> None:
    reply = assemble(chunk(content="A <|file-1|> B <|fi"), raw({"error": {"message": "x"}}), options=CITING)
    assert reply.failure is not None
    assert reply.texts() == ["A B <|fi"]
    assert told(reply) == ["A B", FILE | {"index": 1}]


def with_logprob(text: str) -> bytes:
    entry = {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": [entry]}}
    return msgspec.json.encode({"choices": [choice]})


def test_log_probabilities_tell_of_every_token_and_wait_with_their_text() -> None:
    tokens = ["A", " <", "|", "file-1", "|>", ".", " <|file-1|>"]
    reply = assemble(*(with_logprob(token) for token in tokens), STOP, options=CITING)
    sent = [event for event in reply.events if event["type"] == "response.output_text.delta"]
    assert [(event["delta"], [entry["token"] for entry in event["logprobs"]]) for event in sent] == [
        ("A", ["A"]),
        (".", [" <", "|", "file-1", "|>", "."]),
    ]
    assert [entry["token"] for entry in parts(reply)[0]["logprobs"]] == tokens


def test_without_sources_nothing_is_looked_for() -> None:
    text = f"A <|file-1|> {FED} "
    assert told(assemble(chunk(content=text), STOP)) == [text]
