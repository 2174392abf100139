"""The prose of the project: docstrings, comments, messages and Markdown, with line numbers."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["docstring", "comment", "message", "markdown", "name"]

FOLDERS = ("src", "docs", "bench", "scripts", "tests")
"""Folders whose Python and Markdown files hold prose; Markdown files beside them count as well."""
GENERATED = frozenset({"docs/conformance.md", "docs/performance.md"})
"""Pages that a program writes from other files; the prose of those files is checked instead."""

_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\([^)\s]*\)")
_FENCE = re.compile(r"\s*(```|~~~)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_GENERATED_PART = re.compile(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", re.DOTALL)
_ITEM = re.compile(r"\A\s*(?:[-*+]|\d+[.)])\s+")
_CELL_END = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Text:
    """One block of prose.

    Its lines carry no indentation, and each character of inline code is an `x`, so that a pattern sees
    sentences only. The block of the kind `name` holds all identifiers of a file.
    """

    kind: Kind
    line: int
    content: str

    def line_of(self, position: int) -> int:
        """Return the line in the file that holds the character at `position`."""
        return self.line + self.content.count("\n", 0, position)


def files(root: Path) -> list[Path]:
    """Return the files whose prose is checked, sorted; hidden folders are left alone."""
    found = [*root.glob("*.md")]
    for folder in FOLDERS:
        for suffix in ("*.py", "*.md"):
            found += (root / folder).rglob(suffix)
    return sorted(path for path in found if _is_checked(path.relative_to(root)))


def read(path: Path) -> list[Text]:
    """Return the prose of a Python or a Markdown file.

    Raises:
        SyntaxError: The file is not valid Python.
    """
    source = path.read_text(encoding="utf-8")
    return list(markdown(source) if path.suffix == ".md" else python(source))


def python(source: str) -> Iterator[Text]:
    """Yield the docstrings, messages and comments of a Python module, and its identifiers as one block."""
    yield from _strings(ast.parse(source))
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    yield from _comments(token for token in tokens if token.type == tokenize.COMMENT)
    names: list[list[str]] = [[] for _ in range(source.count("\n") + 2)]
    for token in tokens:
        if token.type == tokenize.NAME:
            names[token.start[0] - 1].append(token.string)
    yield Text("name", 1, "\n".join(" ".join(line) for line in names))


def markdown(source: str) -> Iterator[Text]:
    """Yield the headings, paragraphs, list items and table cells of a page.

    Code fences, comments and generated parts are omitted.
    """
    source = _COMMENT.sub(_blank, _GENERATED_PART.sub(_blank, source))
    for block in _blocks(_unfenced(source.splitlines())):
        number, first = block[0]
        if first.lstrip().startswith("|"):
            for row, line in block:
                yield from (_text("markdown", row, cell) for cell in _CELL_END.split(line) if cell.strip())
        else:
            yield _text("markdown", number, "\n".join(line for _, line in block))


def _is_checked(path: Path) -> bool:
    return path.as_posix() not in GENERATED and not any(part.startswith(".") for part in path.parts)


def _strings(tree: ast.Module) -> Iterator[Text]:
    """Yield string expressions as docstrings, and other strings of several words as messages."""
    seen: set[ast.expr] = set()
    for node in ast.walk(tree):  # A node comes after the node that holds it.
        if isinstance(node, ast.Expr) and _constant(node.value):
            seen.add(node.value)
            yield _text("docstring", node.lineno, _constant(node.value))
        elif isinstance(node, ast.JoinedStr):
            seen.update(node.values)
            yield _text("message", node.lineno, "".join(_constant(part) or "{}" for part in node.values))
        elif isinstance(node, ast.Constant) and node not in seen and " " in _constant(node):
            yield _text("message", node.lineno, _constant(node))


def _constant(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _comments(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[Text]:
    """Yield each run of comments on lines of their own as one block, and every other comment alone."""
    run: list[str] = []
    begin = 0
    for token in tokens:
        line, column = token.start
        stands_alone = not token.line[:column].strip()
        if run and not (stands_alone and line == begin + len(run)):
            yield _text("comment", begin, "\n".join(run))
            run = []
        if not run:
            begin = line
        run.append(token.string.removeprefix("#"))
    if run:
        yield _text("comment", begin, "\n".join(run))


def _unfenced(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page with their numbers; those of a code fence are empty."""
    fence = ""
    for number, line in enumerate(lines, 1):
        match = _FENCE.match(line)
        if match and fence in ("", match[1]):
            fence = "" if fence else match[1]
            yield number, ""
        else:
            yield number, "" if fence else line


def _blocks(lines: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    block: list[tuple[int, str]] = []
    is_table = False
    for number, line in lines:
        is_heading, is_row = line.startswith("#"), line.lstrip().startswith("|")
        if block and (not line.strip() or is_heading or _ITEM.match(line) or is_row != is_table):
            yield block
            block = []
        if line.strip():
            is_table = is_row
            block.append((number, _ITEM.sub("", line.lstrip("#> "), count=1)))
        if is_heading:
            yield block
            block = []
    if block:
        yield block


def _text(kind: Kind, line: int, content: str) -> Text:
    content = _CODE.sub(_blank, _LINK.sub(_blank, content))
    return Text(kind, line, "\n".join(each.strip() for each in content.split("\n")))


def _blank(match: re.Match[str]) -> str:
    """Return text of the same lines without words."""
    if match[0].startswith("<"):
        return "\n" * match[0].count("\n")
    return re.sub(r"\w", "x", match[0])
