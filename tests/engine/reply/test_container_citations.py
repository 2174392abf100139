"""Citations of files that code has written."""

import pytest

from antiphon.engine.reply.citations import Citer, Sources, sources_of
from antiphon.wire.content import Annotation, ContainerFileCitation, OutputText
from antiphon.wire.items import CodeInterpreterCall, Item, Message
from antiphon.wire.json import JSONObject


def ran(*files: tuple[str, str]) -> CodeInterpreterCall:
    """Return a call that wrote files, given as IDs and paths."""
    written = [{"file_id": file_id, "path": path} for file_id, path in files]
    outputs: list[JSONObject] = [{"type": "logs", "logs": "x"}, {"type": "files", "files": written}]
    return CodeInterpreterCall(id="ci_1", status="completed", code="", container_id="cntr_1", outputs=outputs)


def cited(text: str, *items: Item, size: int = 1000) -> list[tuple[str, str, str]]:
    """Return the ID, the name and the cited text of each citation."""
    sources = sources_of(items)
    assert sources is not None
    citer = Citer(sources)
    said, notes = "", list[Annotation]()
    for start in range(0, len(text), size):
        piece, found = citer.feed(text[start : start + size])
        said, notes = said + piece, [*notes, *found]
    piece, found = citer.flush()
    assert said + piece == text
    made = [note for note in [*notes, *found] if isinstance(note, ContainerFileCitation)]
    return [(note.file_id, note.filename, text[note.start_index : note.end_index]) for note in made]


FILES = ran(
    ("cfile_1", "/mnt/data/a.csv"), ("cfile_2", "/mnt/data/a.csv.gz"), ("cfile_3", "/mnt/data/d/my x.txt")
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See [a](sandbox:/mnt/data/a.csv).", [("cfile_1", "a.csv", "sandbox:/mnt/data/a.csv")]),
        ("sandbox:/mnt/data/a.csv", [("cfile_1", "a.csv", "sandbox:/mnt/data/a.csv")]),
        ("sandbox:/mnt/data/a.csv.gz", [("cfile_2", "a.csv.gz", "sandbox:/mnt/data/a.csv.gz")]),
        ("sandbox:/mnt/data/a.csvx or sandbox:/mnt/data/b", []),
        ("/mnt/data/a.csv", []),
        (
            "[x](sandbox:/mnt/data/d/my%20x.txt) [x](sandbox:/mnt/data/d/my x.txt)",
            [
                ("cfile_3", "d/my x.txt", "sandbox:/mnt/data/d/my%20x.txt"),
                ("cfile_3", "d/my x.txt", "sandbox:/mnt/data/d/my x.txt"),
            ],
        ),
    ],
)
def test_links_are_cited_however_the_stream_splits_them(
    text: str, expected: list[tuple[str, str, str]], size: int
) -> None:
    assert cited(text, FILES, size=size) == expected


def test_charts_are_cited_once_without_a_link() -> None:
    chart = ran(("cfile_9", "/mnt/data/cfile_9.png"))
    assert cited("A chart.", chart) == [("cfile_9", "cfile_9.png", "")]
    assert cited("Again.", chart, Message(role="assistant", content="A chart.")) == []


def test_citations_of_earlier_messages_are_sources() -> None:
    note = ContainerFileCitation(
        container_id="cntr_1", file_id="cfile_1", filename="a.csv", start_index=0, end_index=3
    )
    message = Message(role="assistant", content=[OutputText(annotations=[note], logprobs=[], text="a.csv")])
    text = "Again: sandbox:/mnt/data/a.csv"
    assert cited(text, message) == [("cfile_1", "a.csv", "sandbox:/mnt/data/a.csv")]


@pytest.mark.parametrize(
    "output",
    [
        {"type": "files"},
        {"type": "files", "files": [3, {"file_id": 1, "path": "/mnt/data/a"}]},
        {"type": "files", "files": [{"file_id": "cfile_1", "path": "/etc/passwd"}]},
    ],
)
def test_outputs_of_other_forms_are_no_sources(output: JSONObject) -> None:
    item = CodeInterpreterCall(id="ci", status="completed", code="", container_id="c", outputs=[output])
    assert sources_of([item]) is None
    assert Sources({}, {}).written == {}
