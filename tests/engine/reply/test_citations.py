"""Citations in the text of an answer: sources, marks, ids and links, with any deltas."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.reply.citations import Citer, Sources, marked_text, sources_of
from antiphon.engine.reply.links import url_key
from antiphon.wire.content import Annotation, ContentPart, FileCitation, FilePath, OutputText, UrlCitation
from antiphon.wire.items import FileSearchCall, FunctionCall, Item, Message, WebSearchCall
from antiphon.wire.json import JSON, JSONObject

FED = "https://www.fed.gov/rates.htm"
SOURCES = Sources({str(url_key(FED)): "Rates"}, {"file-1": "one.txt", "file-12": "twelve.pdf"})


def cite(deltas: list[str], sources: Sources = SOURCES) -> tuple[str, list[Annotation]]:
    citer = Citer(sources)
    pieces, annotations = [], []
    for delta in deltas:
        text, found = citer.feed(delta)
        pieces.append(text)
        annotations += found
    text, found = citer.flush()
    return "".join([*pieces, text]), annotations + found


def file(file_id: str, index: int) -> FileCitation:
    return FileCitation(file_id=file_id, filename=SOURCES.files[file_id], index=index)


@pytest.mark.parametrize(
    ("written", "shown", "annotations"),
    [
        ("Paris is it <|file-1|>.", "Paris is it.", [file("file-1", 11)]),
        ("Paris<|file-12|>", "Paris", [file("file-12", 5)]),
        ("A <|file-1|> <|file-12|>.", "A.", [file("file-1", 1), file("file-12", 1)]),
        ("A  <|file-1|>\n", "A \n", [file("file-1", 2)]),
        ("🙂ß <|file-1|>.", "🙂ß.", [file("file-1", 2)]),
        ("A <|file-2|>.", "A <|file-2|>.", []),
        ("A <|python_tag|> <", "A <|python_tag|> <", []),
        ("A <|file-1|", "A <|file-1|", [file("file-1", 4)]),
        ("A <| file-1 |>", "A <| file-1 |>", [file("file-1", 5)]),
        ("As file-1 says (file-12).", "As file-1 says (file-12).", [file("file-1", 3), file("file-12", 16)]),
        ("file-1", "file-1", [file("file-1", 0)]),
        ("file-123 my-file-1 file-1x", "file-123 my-file-1 file-1x", []),
        ("a<<|file-1|>", "a<", [file("file-1", 2)]),
    ],
)
def test_marks_go_and_file_ids_stay(written: str, shown: str, annotations: list[Annotation]) -> None:
    assert cite([written]) == (shown, annotations)
    assert cite(list(written)) == (shown, annotations), "cut into characters"


def test_links_and_marks_have_their_places_in_the_text_without_marks() -> None:
    text, annotations = cite([f"Held <|file-1|>. ([fed]({FED})) And <|file-12|>."])
    assert text == f"Held. ([fed]({FED})) And."
    assert annotations == [
        file("file-1", 4),
        UrlCitation(start_index=6, end_index=44, title="Rates", url=FED),
        file("file-12", 48),
    ]
    assert text[6:44] == f"([fed]({FED}))"


def test_only_what_may_become_a_mark_is_held_back() -> None:
    citer = Citer(SOURCES)
    given_out = [
        citer.feed(delta)[0] for delta in ["It is ", "<", "|", "f", "oo", " <|file", "-1", "|>", "."]
    ]
    assert given_out == ["It is", "", "", "", " <|foo", "", "", "", "."]
    assert citer.flush() == ("", [])


def test_without_files_nothing_is_held_back() -> None:
    citer = Citer(Sources({str(url_key(FED)): "Rates"}, {}))
    assert citer.feed("a <|file-1") == ("a <|file-1", [])


def test_nothing_is_held_back_after_the_end() -> None:
    citer = Citer(SOURCES)
    assert citer.feed("a file-1") == ("a file-1", [])
    assert citer.flush() == ("", [file("file-1", 2)])
    assert citer.flush() == ("", [])


MARKS = [" ", "<", "<|", "|>", "file-", "1", "2", "|", ">", "<|file-1|>", " <|file-12|>", "<|x|>", ".", "\n"]
LINKS = ["(", ")", "[", "]", "](", "))", "a", "🙂", "-", "_", FED, "https://", f"([fed]({FED}))", "/file-1"]
FRAGMENTS = st.lists(st.sampled_from([*MARKS, *LINKS]), max_size=14).map("".join)


@given(FRAGMENTS, st.data())
def test_the_cuts_make_no_difference(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=8)))
    deltas = [text[start:end] for start, end in pairwise([0, *places, len(text)])]
    assert cite(deltas) == cite([text])
    assert cite(list(text)) == cite([text])


@given(FRAGMENTS)
def test_the_text_loses_its_marks_and_nothing_else(text: str) -> None:
    shown, annotations = cite([text])
    assert shown == re.sub(r" ?<\|(file-1|file-12)\|>", "", text)
    words = [match.span() for match in re.finditer(r"(?<![\w-])(file-1|file-12)(?![\w-])", shown)]
    plain = [
        (note.index, note.index + len(note.file_id))
        for note in annotations
        if isinstance(note, FileCitation) and shown.startswith(note.file_id, note.index)
    ]
    assert set(words) <= set(plain)
    for note in annotations:
        if isinstance(note, UrlCitation):
            assert FED in shown[note.start_index : note.end_index]
            assert (note.title, note.url) == ("Rates", FED)


def test_long_text_takes_linear_time() -> None:
    """The test bounds the text that the citer holds back to examine again, and no time."""
    citer = Citer(SOURCES)
    text = "<|file-" * 5_000 + "file-1" * 5_000
    shown = "".join(citer.feed(character)[0] for character in text)
    assert len(text) - len(shown) <= len(" <|file-12|>")


def test_the_sources_are_what_searches_found() -> None:
    found = sources_of(
        [
            Message(role="user", content="Hi"),
            FunctionCall(arguments="{}", call_id="call_1", name="f"),
            WebSearchCall(
                status="completed",
                action={"type": "search", "sources": [{"type": "url", "url": "https://a.example/"}]},
                results=[{"url": "https://b.example/x", "title": "B", "content": "..."}, "?", {"url": 1}],
            ),
            WebSearchCall(status="completed", action={"type": "open_page", "url": "https://c.example"}),
            FileSearchCall(
                status="completed",
                queries=["q"],
                results=[{"file_id": "file-1", "filename": "one.txt"}, {"file_id": "file-2"}, {"score": 1}],
            ),
        ]
    )
    assert found == Sources(
        {"a.example?": "https://a.example/", "b.example/x?": "B", "c.example?": "https://c.example"},
        {"file-1": "one.txt", "file-2": "file-2"},
    )


def test_a_title_that_comes_later_is_taken() -> None:
    pages: list[JSONObject] = [{"url": FED}, {"url": FED, "title": "Rates"}, {"url": FED, "title": None}]
    calls = [WebSearchCall(status="completed", results=[page]) for page in pages]
    assert sources_of(calls) == Sources({str(url_key(FED)): "Rates"}, {})


def test_what_earlier_answers_cite_is_a_source() -> None:
    cited = UrlCitation(start_index=0, end_index=1, title="Rates", url=FED)
    parts: list[ContentPart] = [
        OutputText(text="a", annotations=[cited, file("file-1", 0), FileCitation(file_id="file-2", index=1)])
    ]
    found = sources_of([Message(role="assistant", content=parts)])
    assert found == Sources({str(url_key(FED)): "Rates"}, {"file-1": "one.txt", "file-2": "file-2"})


@pytest.mark.parametrize("results", [None, []])
def test_searches_that_found_nothing_are_no_sources(results: list[JSON] | None) -> None:
    calls: list[Item] = [
        WebSearchCall(status="failed", action={"type": "search", "query": "q"}, results=results),
        FileSearchCall(status="completed", queries=[], results=results),
        Message(role="assistant", content="No."),
        Message(role="assistant", content=[OutputText(text="No.")]),
    ]
    assert sources_of(calls) is None


@pytest.mark.parametrize(
    "written",
    [
        "Paris is it <|file-1|>.",
        "<|file-1|> is it.",
        "A <|file-1|> <|file-12|>. B <|file-1|>.",
        "As file-1 says <|file-12|>, so\n<|file-1|>.",
        f"No file, but [a page]({FED}).",
        "",
    ],
)
def test_the_model_sees_its_own_marks_again(written: str) -> None:
    text, annotations = cite([written])
    assert marked_text(OutputText(text=text, annotations=annotations)) == written


def test_annotations_of_other_origin_are_marks_at_their_place_as_far_as_there_is_text() -> None:
    notes: list[Annotation] = [FileCitation(file_id="b", index=99), FileCitation(file_id="a", index=-1)]
    assert marked_text(OutputText(text="Text.", annotations=notes)) == "<|a|>Text. <|b|>"
    assert marked_text(OutputText(text="Text.")) == "Text."


def test_annotations_that_name_no_source_are_not_sources() -> None:
    path = FilePath(file_id="file-9", index=0)
    message = Message(role="assistant", content=[OutputText(text="Text.", annotations=[path])])
    assert sources_of([message]) is None
