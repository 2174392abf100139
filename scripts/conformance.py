"""Generator of docs/conformance.md from the results of a complete test run.

`make conformance` runs the tests and writes the page. `scripts.conformance --check RESULTS...` compares the
page with the results, which are the XML of `pytest --junitxml=RESULTS`. It exits with 1 if they differ.
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

_HEAD = """# Conformance results

This page has the result of each conformance check and of each case of the test catalogue.
`make conformance` runs all tests and writes the page from their results. `.ci/run` fails if the page
doesn't match the results. [Connect a client](clients.md) has the tests with clients of other projects.

The tests validate every response and every event of the server against OpenAI's description of its [API].
Schemathesis generates valid and invalid requests for every operation in the server's own description,
`GET /v1/openapi.json`.

## Open Responses

`tests.conformance` is a Python program with the checks of the acceptance suite of [Open Responses]. It runs
against any server:

```text
python -m tests.conformance http://127.0.0.1:8321/v1 --model antiphon/sample
```

For a backend that sends raw reasoning, seven of the 17 checks of the suite fail by default, because Open
Responses has other names than OpenAI for two of the events: `streaming-response`, and each `websocket-` check
except `websocket-previous-response-not-found`, which creates no response. All checks pass with the
[setting](settings.md) `reasoning_events = "open_responses"`. The server can't choose the names by the client,
because requests of the suite don't name it.

[API]: https://platform.openai.com/docs/api-reference/responses
[Open Responses]: https://www.openresponses.org

"""


@dataclass(frozen=True)
class Catalogue:
    """Ordered cases, tests that cover a case under another name, and reasons for untested cases."""

    titles: Mapping[str, str]
    """Title of each letter."""
    cases: Mapping[str, str]
    also: Mapping[str, list[str]]
    open: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "Catalogue":
        """Return the catalogue of a TOML file."""
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        also, still_open = tables.pop("also"), tables.pop("open")
        cases = {
            f"{letter}{number}": case
            for letter, table in tables.items()
            for number, case in enumerate(table["cases"], 1)
        }
        return cls({letter: table["title"] for letter, table in tables.items()}, cases, also, still_open)


def catalogue() -> Catalogue:
    """Return the project's catalogue."""
    return Catalogue.read(Path(__file__).with_name("catalogue.toml"))


def read_results(paths: Iterable[Path]) -> dict[str, bool]:
    """Return whether each test in JUnit XML files passed, by its pytest node ID."""
    results: dict[str, bool] = {}
    for case in (case for path in paths for case in ElementTree.parse(path).iter("testcase")):
        name = f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}"
        passed = all(case.find(tag) is None for tag in ("failure", "error", "skipped"))
        results[name] = passed and results.get(name, True)
    return results


def ids(name: str) -> set[str]:
    """Return the cases in the name of a test and in the ids of its parameters."""
    function, _, parameters = name.partition(".py::")[2].partition("[")
    in_name = _IN_NAME.match(function)
    found = in_name[1].upper().rstrip("_").split("_") if in_name else []
    in_parameters = [_IN_PARAMETER.match(part) for part in parameters.split("-")]
    return {*found, *(match[0] for match in in_parameters if match)}


def page(catalogue: Catalogue, results: Mapping[str, bool]) -> str:
    """Return the text of the page.

    Raises:
        ValueError: A test failed, or a case has neither a test nor a reason.
    """
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
        lines += ["| case | description | tests in `tests/` |", "| --- | --- | --- |"]
        for case, text in cases.items():
            proof = ", ".join(sorted(proofs[case])) if case in proofs else f"open: {catalogue.open[case]}"
            lines.append(f"| {case} | {text} | {proof} |")
    return _HEAD + "\n".join(lines) + "\n"


def _proofs(catalogue: Catalogue, results: Mapping[str, bool]) -> dict[str, set[str]]:
    """Return the test modules that cover each case, by their names on the page."""
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
        raise ValueError(f"these cases have tests but are open in the catalogue: {sorted(both)}")
    if neither := catalogue.cases.keys() - tests.keys() - catalogue.open.keys():
        raise ValueError(f"these cases have neither a test nor a reason in the catalogue: {sorted(neither)}")
    return {case: {_module(name) for name in names} for case, names in tests.items()}


def _module(name: str) -> str:
    return name.partition(".py::")[0].removeprefix("tests/")


def stale(catalogue: Catalogue, modules: Iterable[Module], text: str) -> Iterator[str]:
    """Yield the errors of the page that names alone reveal, without a test run.

    `modules` are the test modules. Only a test run reveals missing entries (`main`).
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
                yield f"scripts/catalogue.toml:1: {case} is not covered by {name}, which does not exist"
    known = {_module(name) for name in functions}
    for case, proof in rows.items():
        for name in () if proof.startswith("open: ") else proof.split(", "):
            if name not in known:
                yield f"{PAGE}:1: {case} is not covered by {name}, which does not exist; run make conformance"


def main() -> int:
    """Write the page, or check it; return the exit code."""
    is_check = sys.argv[1] == "--check"
    paths = [Path(path) for path in sys.argv[2 if is_check else 1 :]]
    try:
        made = page(catalogue(), read_results(paths))
    except ValueError as error:
        print(f"{PAGE}: {error}")
        return 1
    if not is_check:
        (ROOT / PAGE).write_text(made, encoding="utf-8")
    elif made != (ROOT / PAGE).read_text(encoding="utf-8"):
        print(f"{PAGE} does not match these results; run make conformance")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
