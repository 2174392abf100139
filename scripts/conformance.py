"""Writes docs/conformance.md, what passes by number, from the results of a whole run of the tests.

`make conformance` runs the tests and writes the page. `scripts.conformance --check RESULTS` compares it
with results, the XML of `pytest --junitxml=RESULTS`, and exits with 1 if they differ.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from scripts.tree import Module

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/conformance.md"
SUITE = "tests/conformance/test_checks.py::test_a_check"

_IN_NAME = re.compile(r"test_((?:[FTBSDR]\d+_)+)", re.IGNORECASE)
_IN_PARAMETER = re.compile(r"[FTBSDR]\d+(?=_)")
_ROW = re.compile(r"^\| (?P<id>[FTBSDR]\d+) \| [^|]* \| (?P<proof>[^|]*) \|$", re.MULTILINE)

_HEAD = """# Conformance

What passes, by number. `make conformance` runs all tests and writes this page from their results; `.ci/run`
fails when the page says anything else. Clients that others wrote are on [a page of their own](clients.md).

Whatever a server inside the tests answers, and every event that it sends, is validated against OpenAI's
description of its API. Schemathesis makes requests of the server's own
description, `GET /v1/openapi.json`, right ones and wrong ones, for every operation.

## Open Responses

The checks of the acceptance suite of Open Responses, as a program of our
own. It runs against any server:

```text
python -m tests.conformance http://127.0.0.1:8321/v1 --model antiphon/sample
```

A backend that sends raw reasoning passes `streaming-response` and `websocket-response` with the
[setting](settings.md) `reasoning_events = "open_responses"`: OpenAI has other names for two of its events.

"""


@dataclass(frozen=True)
class Catalogue:
    """The cases by id, in order; the tests that prove some under other names; why others have no test."""

    titles: Mapping[str, str]
    """The titles of the letters."""
    cases: Mapping[str, str]
    also: Mapping[str, list[str]]
    open: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "Catalogue":
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        also, still_open = tables.pop("also"), tables.pop("open")
        cases = {
            f"{letter}{number}": case
            for letter, table in tables.items()
            for number, case in enumerate(table["cases"], 1)
        }
        return cls({letter: table["title"] for letter, table in tables.items()}, cases, also, still_open)


def catalogue() -> Catalogue:
    """Returns the project's catalogue."""
    return Catalogue.read(Path(__file__).with_name("catalogue.toml"))


def read_results(path: Path) -> dict[str, bool]:
    """Returns whether each test passed, by its name as pytest writes it, from JUnit's XML."""
    results: dict[str, bool] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}"
        passed = all(case.find(tag) is None for tag in ("failure", "error", "skipped"))
        results[name] = passed and results.get(name, True)
    return results


def ids(name: str) -> set[str]:
    """Returns the cases that a test is about, by its name and the ids of its parameters."""
    function, _, parameters = name.partition(".py::")[2].partition("[")
    in_name = _IN_NAME.match(function)
    found = in_name[1].upper().rstrip("_").split("_") if in_name else []
    in_parameters = [_IN_PARAMETER.match(part) for part in parameters.split("-")]
    return {*found, *(match[0] for match in in_parameters if match)}


def page(catalogue: Catalogue, results: Mapping[str, bool]) -> str:
    """Returns the page. Raises ValueError for what fails, and for cases with neither test nor reason."""
    suite = {name: passed for name, passed in results.items() if name.startswith(f"{SUITE}[")}
    if not suite or not all(suite.values()):
        raise ValueError("not all checks of Open Responses passed")
    lines = ["| check | result |", "| --- | --- |"]
    lines += [f"| {name.partition('[')[2].rstrip(']')} | pass |" for name in suite]
    lines.append(f"\n{len(suite)} of {len(suite)} pass.")
    proofs = _proofs(catalogue, results)
    for letter, title in catalogue.titles.items():
        cases = {case: text for case, text in catalogue.cases.items() if case[0] == letter}
        passing = sum(case in proofs for case in cases)
        lines += [f"\n## {letter}: {title}\n", f"{passing} of {len(cases)} pass.\n"]
        lines += ["| case | what | tests in `tests/` |", "| --- | --- | --- |"]
        for case, text in cases.items():
            proof = ", ".join(sorted(proofs[case])) if case in proofs else f"open: {catalogue.open[case]}"
            lines.append(f"| {case} | {text} | {proof} |")
    return _HEAD + "\n".join(lines) + "\n"


def _proofs(catalogue: Catalogue, results: Mapping[str, bool]) -> dict[str, set[str]]:
    """The modules whose tests prove each case, as the page names them."""
    tests: dict[str, set[str]] = defaultdict(set)
    for name in results:
        for case in ids(name):
            tests[case].add(name)
        function = name.partition("[")[0]
        for case, others in catalogue.also.items():
            if function in others:
                tests[case].add(name)
    if unknown := tests.keys() - catalogue.cases.keys():
        raise ValueError(f"tests are named after cases that are not in the catalogue: {sorted(unknown)}")
    if failed := {case for case, names in tests.items() if not all(results[name] for name in names)}:
        raise ValueError(f"not all tests of these cases passed: {sorted(failed)}")
    if both := tests.keys() & catalogue.open.keys():
        raise ValueError(f"these cases have tests and are open in the catalogue: {sorted(both)}")
    if neither := catalogue.cases.keys() - tests.keys() - catalogue.open.keys():
        raise ValueError(f"these cases have no test, and no reason in the catalogue: {sorted(neither)}")
    return {case: {_module(name) for name in names} for case, names in tests.items()}


def _module(name: str) -> str:
    return name.partition(".py::")[0].removeprefix("tests/")


def stale(catalogue: Catalogue, modules: Iterable[Module], text: str) -> Iterator[str]:
    """Yields what of the page cannot be true any more, as far as names tell without a run of the tests.

    `modules` are those of the tests. Whether the page lacks something is known after a run (`main`).
    """
    functions = {
        f"{module.path}::{node.name}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    rows = {match["id"]: match["proof"] for match in _ROW.finditer(text)}
    if list(rows) != list(catalogue.cases):
        yield f"{PAGE}:1: not the cases of the catalogue; run make conformance"
    for case, names in catalogue.also.items():
        for name in names:
            if name not in functions:
                yield f"scripts/catalogue.toml:1: {case} is not proved by {name}, which is not there"
    known = {_module(name) for name in functions}
    for case, proof in rows.items():
        for name in () if proof.startswith("open: ") else proof.split(", "):
            if name not in known:
                yield f"{PAGE}:1: {case} is not proved by {name}, which is not there; run make conformance"


def main() -> int:
    *options, path = sys.argv[1:]
    try:
        made = page(catalogue(), read_results(Path(path)))
    except ValueError as error:
        print(f"{PAGE}: {error}")
        return 1
    if not options:
        (ROOT / PAGE).write_text(made, encoding="utf-8")
    elif made != (ROOT / PAGE).read_text(encoding="utf-8"):
        print(f"{PAGE} does not say what these results say; run make conformance")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
