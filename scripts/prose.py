"""Rules for prose: the glossary, sentences without a headless clause as subject, American spelling.

The rules cover all prose of the project except the strings in tests, which are mostly data.
`scripts/glossary.toml` holds the words. `scripts/glossary_allowed.toml` holds how many hits of each rule a
file may have; these numbers only shrink. `python -m scripts.prose --lower` lowers them to the hits of today.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scripts import texts
from scripts.texts import Text

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "scripts" / "glossary.toml"
ALLOWED = "scripts/glossary_allowed.toml"

Allowances = dict[str, dict[str, int]]
"""For each rule the files with hits, and how many hits each of them may have."""

_OPENING = re.compile(
    r"(?:\A|(?<=[.!?:;])\s+|(?<=[.!?:;][)\"”*])\s+)[*_\"“(\[]*"
    r"(?P<opening>Who(?:ever|se)?|What(?:ever)?|Which(?:ever)?)\b"
    r"(?=(?:[^.!?]|[.!?](?![\s)\"”*]|\Z))*(?P<end>[.!?]|\Z))"
)
_WORD = re.compile(r"[^\W_]+")
_HEAD = """\
# How many hits of each rule of scripts/prose.py a file may have. Numbers only shrink:
# `python -m scripts.prose --lower` lowers them to the hits of today and removes files without any.
"""


@dataclass(frozen=True)
class Hit:
    """A violation in one file."""

    line: int
    text: str
    advice: str


@dataclass(frozen=True)
class Entry:
    """One row of the glossary: a pattern, its replacement, and examples for the tests."""

    pattern: re.Pattern[str]
    say: str
    finds: str
    spares: tuple[str, ...] = ()


@dataclass(frozen=True)
class Glossary:
    """The words to avoid, in prose and as identifiers, and British spellings with the American ones."""

    terms: list[Entry]
    names: list[Entry]
    spelling: dict[str, str]


@cache
def glossary() -> Glossary:
    """Return the words of `scripts/glossary.toml`."""
    table = tomllib.loads(GLOSSARY.read_text(encoding="utf-8"))
    return Glossary(
        [_entry(row, row["not"].replace(" ", r"\s"), re.IGNORECASE) for row in table["term"]],
        [_entry(row, rf"\b_*(?:{row['not']})\b", 0) for row in table["name"]],
        table["spelling"],
    )


def terms(text: Text) -> Iterator[Hit]:
    """Yield the words of a text that the glossary replaces."""
    if text.kind == "name":
        return
    for entry in glossary().terms:
        for match in entry.pattern.finditer(text.content):
            yield _hit(text, match, f"say {entry.say!r}")


def names(text: Text) -> Iterator[Hit]:
    """Yield the identifiers that the glossary replaces."""
    if text.kind != "name":
        return
    for entry in glossary().names:
        for match in entry.pattern.finditer(text.content):
            yield _hit(text, match, f"name it after {entry.say!r}")


def openings(text: Text) -> Iterator[Hit]:
    """Yield the sentences that a Who, What, Whose or Which clause opens, except questions."""
    if text.kind == "name":
        return
    for match in _OPENING.finditer(text.content):
        if match["end"] != "?":
            yield Hit(
                text.line_of(match.start("opening")), match["opening"], "open the sentence with its actor"
            )


def spelling(text: Text) -> Iterator[Hit]:
    """Yield the words in British spelling."""
    if text.kind == "name":
        return
    for match in _WORD.finditer(text.content):
        if (american := _american(match[0])) != match[0]:
            yield _hit(text, match, f"spell {american!r}")


RULES: dict[str, Callable[[Text], Iterator[Hit]]] = {
    "glossary": terms,
    "names": names,
    "openings": openings,
    "spelling": spelling,
}


def found(root: Path) -> dict[str, dict[str, list[Hit]]]:
    """Return the hits of each rule by file, relative to `root`; files without hits are omitted."""
    hits: dict[str, dict[str, list[Hit]]] = {rule: {} for rule in RULES}
    for path in texts.files(root):
        name = path.relative_to(root).as_posix()
        blocks = [block for block in texts.read(path) if not _is_test_data(name, block)]
        for rule, search in RULES.items():
            if in_file := [hit for block in blocks for hit in search(block)]:
                hits[rule][name] = in_file
    return hits


def problems(root: Path) -> Iterator[str]:
    """Yield the files whose hits differ from what `scripts/glossary_allowed.toml` allows."""
    allowed = allowances(root)
    for rule, in_files in found(root).items():
        permitted = allowed.get(rule, {})
        for name in sorted(in_files.keys() | permitted.keys()):
            yield from _compare(name, rule, in_files.get(name, []), permitted.get(name, 0))


def allowances(root: Path) -> Allowances:
    """Return the numbers of `scripts/glossary_allowed.toml`."""
    return tomllib.loads((root / ALLOWED).read_text(encoding="utf-8"))


def lowered(allowed: Mapping[str, Mapping[str, int]], counts: Mapping[str, Mapping[str, int]]) -> Allowances:
    """Return the allowances without what is no longer needed; none is higher than before."""
    lower = {
        rule: {name: min(number, counts.get(rule, {}).get(name, 0)) for name, number in files.items()}
        for rule, files in allowed.items()
    }
    return {rule: {name: number for name, number in files.items() if number} for rule, files in lower.items()}


def written(allowed: Allowances) -> str:
    """Return the text of `scripts/glossary_allowed.toml`."""
    tables = [
        "\n".join([f"\n[{rule}]", *(f'"{name}" = {number}' for name, number in sorted(files.items()))])
        for rule, files in sorted(allowed.items())
    ]
    return _HEAD + "\n".join(tables) + "\n"


def main(arguments: Iterable[str]) -> int:
    """Print the problems, or with `--lower` lower the allowances; return the exit code."""
    if "--lower" in arguments:
        counts = {
            rule: {name: len(hits) for name, hits in in_files.items()}
            for rule, in_files in found(ROOT).items()
        }
        (ROOT / ALLOWED).write_text(written(lowered(allowances(ROOT), counts)), encoding="utf-8")
        return 0
    lines = list(problems(ROOT))
    for line in lines:
        print(line)
    return 1 if lines else 0


def _entry(row: Mapping[str, str], pattern: str, flags: int) -> Entry:
    return Entry(re.compile(pattern, flags), row["say"], row["finds"], tuple(row.get("spares", ())))


@cache
def _american(word: str) -> str:
    for british, american in glossary().spelling.items():
        word = re.sub(british, american, word, flags=re.IGNORECASE)
    return word


def _hit(text: Text, match: re.Match[str], advice: str) -> Hit:
    return Hit(text.line_of(match.start()), " ".join(match[0].split()), advice)


def _is_test_data(name: str, block: Text) -> bool:
    """Return whether a block is a string in a test, such as a request or an answer, and no docstring."""
    return block.kind == "message" and name.startswith("tests/")


def _compare(name: str, rule: str, hits: list[Hit], allowed: int) -> Iterator[str]:
    if len(hits) > allowed:
        allowance = f" ({len(hits)} hits, {allowed} allowed)" if allowed else ""
        for hit in sorted(hits, key=lambda hit: hit.line):
            yield f"{name}:{hit.line}: {hit.text!r}; {hit.advice}{allowance}"
    elif len(hits) < allowed:
        yield (
            f"{ALLOWED}:1: {name} has {len(hits)} hits of {rule}, and {allowed} are allowed; "
            "lower the allowance: python -m scripts.prose --lower"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
