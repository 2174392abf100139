"""Rules for prose: each finds a violation, and the allowances only shrink."""

from pathlib import Path

import pytest

from scripts import prose, texts
from scripts.texts import Text

GLOSSARY = prose.glossary()


def written(text: str) -> Text:
    return Text("docstring", 1, text)


@pytest.mark.parametrize("entry", GLOSSARY.terms, ids=lambda entry: entry.finds)
def test_each_term_finds_its_example(entry: prose.Entry) -> None:
    (hit, *_) = [hit for hit in prose.terms(written(entry.finds)) if repr(entry.say) in hit.advice]
    assert hit.line == 1
    for text in entry.spares:
        assert [hit for hit in prose.terms(written(text)) if repr(entry.say) in hit.advice] == []


@pytest.mark.parametrize("entry", GLOSSARY.names, ids=lambda entry: entry.finds)
def test_each_name_finds_its_example(entry: prose.Entry) -> None:
    (hit,) = prose.names(Text("name", 1, f"x = _{entry.finds}"))
    assert repr(entry.say) in hit.advice
    for name in entry.spares:
        assert list(prose.names(Text("name", 1, name))) == []
    assert list(prose.names(written(entry.finds))) == []


def test_a_term_is_found_across_lines_and_in_any_case() -> None:
    (hit,) = prose.terms(written("First line.\nAt\nwork."))
    assert (hit.line, hit.text) == (2, "At work")


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("behaviour", "behavior"),
        ("Unrecognised", "Unrecogniz"),
        ("normalising", "normalizing"),
        ("licences", "licenses"),
        ("neighbouring", "neighboring"),
        ("analysed", "analyzed"),
        ("centre", "center"),
        ("labelled", "labeled"),
        ("fulfils", "fulfills"),
    ],
)
def test_british_spelling_is_found(british: str, american: str) -> None:
    (hit,) = prose.spelling(written(f"Its {british} matters."))
    assert american.lower() in hit.advice.lower()


def test_american_spelling_and_the_words_of_the_api_are_left_alone() -> None:
    words = (
        "analysis, analyses, realistic, optimist, organism, parameter, catalogue, cancelled, fulfill, enroll"
    )
    assert list(prose.spelling(written(words))) == []


@pytest.mark.parametrize(
    "text",
    [
        "What the engine needs of a backend.",
        "Who answers web searches",
        "Whose objects the key opens. [default: its own name]",
        "Which endpoint answers, by route.",
        "It is stored. What is kept is encrypted.",
        "See below: Whatever fails is logged.",
        "**Whoever** reads it (as in 3.11) may write.",
        "It ends (soon.) What follows is dropped.",
    ],
)
def test_a_headless_clause_as_subject_is_found(text: str) -> None:
    (hit,) = prose.openings(written(text))
    assert hit.advice == "open the sentence with its actor"


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "Who may call it (the owner, version 1.2)? The owner.",
        "Return what the backend sent.",
        "Whether a call is allowed.",
        "Somewhat. Whole files.",
    ],
)
def test_questions_and_other_sentences_are_left_alone(text: str) -> None:
    assert list(prose.openings(written(text))) == []


def test_two_headless_sentences_in_a_row_are_both_found() -> None:
    assert [hit.line for hit in prose.openings(written("What fails.\nWhat passes."))] == [1, 2]


PYTHON = '''"""The module.

Its second paragraph.
"""

# A comment
# of two lines.
LIMIT = 1  # in seconds


class Thing:
    """A thing."""

    size: int
    """Its `size` in bytes."""

    def fail(self) -> None:
        raise ValueError(f"{self.size} is "
                         "too much", "one_word", b"no text")
'''


def test_prose_of_python() -> None:
    found = {(text.kind, text.line): text.content for text in texts.python(PYTHON) if text.kind != "name"}
    assert found == {
        ("docstring", 1): "The module.\n\nIts second paragraph.\n",
        ("comment", 6): "A comment\nof two lines.",
        ("comment", 8): "in seconds",
        ("docstring", 12): "A thing.",
        ("docstring", 15): "Its `xxxx` in bytes.",
        ("message", 18): "{} is too much",
    }
    (names,) = [text for text in texts.python(PYTHON) if text.kind == "name"]
    assert names.line_of(names.content.index("LIMIT")) == 8
    assert "second" not in names.content


MARKDOWN = """\
# A heading
A paragraph with `code here`
and a [link](where/it.leads) of 1. and - more.
- An item
  that goes on
2. Another

| head | other |
|---|---|
| cell \\| bar | `x` |
> A quote

```text
What is code.
~~~
```
<!-- a comment
of two lines --> After.
<!-- begin commands -->
What is generated.
<!-- end commands -->
"""


def test_prose_of_markdown() -> None:
    found = [(text.line, text.content) for text in texts.markdown(MARKDOWN)]
    assert found == [
        (1, "A heading"),
        (2, "A paragraph with `xxxx xxxx`\nand a [link](xxxxx/xx.xxxxx) of 1. and - more."),
        (4, "An item\nthat goes on"),
        (6, "Another"),
        (8, "head"),
        (8, "other"),
        (9, "---"),
        (9, "---"),
        (10, "cell \\| bar"),
        (10, "`x`"),
        (11, "A quote"),
        (18, "After."),
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Create a project with three hits in README.md, two of them allowed, and files that aren't checked."""
    for folder in ("docs", "src/antiphon", "bench/.peers", "scripts", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "README.md").write_text("Made anew.\n\nIts behaviour.\n\nMade anew. Made anew.\n")
    (tmp_path / "docs" / "performance.md").write_text("Made anew.\n")
    (tmp_path / "bench" / ".peers" / "theirs.py").write_text("not Python")
    (tmp_path / "src" / "antiphon" / "clean.py").write_text('"""A module."""\n')
    allow(tmp_path, '[glossary]\n"README.md" = 3\n[spelling]\n"README.md" = 1\n')
    return tmp_path


def allow(root: Path, text: str) -> None:
    (root / prose.ALLOWED).write_text(text)


def test_allowed_hits_are_no_problem(project: Path) -> None:
    assert list(prose.problems(project)) == []


def test_docstrings_and_comments_of_tests_are_checked_and_their_strings_are_not(project: Path) -> None:
    test = '"""Made anew."""\n\n# What is sent.\nBODY = "It is made anew. What is that."\n'
    (project / "tests" / "test_thing.py").write_text(test)
    assert list(prose.problems(project)) == [
        "tests/test_thing.py:1: 'anew'; say 'again; from scratch'",
        "tests/test_thing.py:3: 'What'; open the sentence with its actor",
    ]


def test_more_hits_than_allowed_are_all_listed(project: Path) -> None:
    allow(project, '[glossary]\n"README.md" = 2\n')
    expected = "'anew'; say 'again; from scratch' (3 hits, 2 allowed)"
    assert list(prose.problems(project)) == [
        f"README.md:1: {expected}",
        f"README.md:5: {expected}",
        f"README.md:5: {expected}",
        "README.md:3: 'behaviour'; spell 'behavior'",
    ]


def test_fewer_hits_than_allowed_are_a_problem(project: Path) -> None:
    allow(project, '[glossary]\n"README.md" = 4\n"gone.md" = 1\n[spelling]\n"README.md" = 1\n')
    advice = "lower the allowance: python -m scripts.prose --lower"
    assert list(prose.problems(project)) == [
        f"scripts/glossary_allowed.toml:1: README.md has 3 hits of glossary, and 4 are allowed; {advice}",
        f"scripts/glossary_allowed.toml:1: gone.md has 0 hits of glossary, and 1 are allowed; {advice}",
    ]


def test_allowances_are_lowered_and_never_raised() -> None:
    allowed = {"glossary": {"a.md": 3, "b.md": 2, "gone.md": 1}, "openings": {"a.md": 1}}
    counts = {"glossary": {"a.md": 1, "b.md": 5, "new.md": 4}}
    assert prose.lowered(allowed, counts) == {"glossary": {"a.md": 1, "b.md": 2}, "openings": {}}


def test_lowered_allowances_are_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose, "ROOT", project)
    allow(project, '[glossary]\n"README.md" = 9\n[spelling]\n"gone.md" = 1\n')
    assert prose.main(["--lower"]) == 0
    assert prose.allowances(project) == {"glossary": {"README.md": 3}, "spelling": {}}
    assert prose.main([]) == 1
    allow(project, '[glossary]\n"README.md" = 3\n[spelling]\n"README.md" = 1\n')
    assert prose.main([]) == 0
