"""The conformance page, which must match the results of a run."""

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from scripts import conformance
from scripts.conformance import SUITE, Catalogue, ids, page, read_results, stale
from scripts.tree import Module

CATALOGUE = Catalogue(
    titles={"F": "Faults", "S": "Attacks"},
    cases={"F1": "refused", "F2": "unknown", "S1": "nothing runs"},
    also={"S1": ["tests/test_check.py::test_calls"]},
    open={"F2": "not yet"},
)
RESULTS = {
    f"{SUITE}[basic-response]": True,
    "tests/server/test_faults.py::test_stream[F1_refused-True]": True,
    "tests/backends/test_chat_model.py::test_F1_refused": True,
    "tests/test_check.py::test_calls": True,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_F1_refused", {"F1"}),
        ("test_B34_B35_calls", {"B34", "B35"}),
        ("test_s24_bombs", {"S24"}),
        ("test_json[F7_400-True]", {"F7"}),
        ("test_S6_an_address[::1-S7_decimal]", {"S6", "S7"}),
        ("test_spellings[B1]", set()),
        ("test_the_F1_of_it", set()),
    ],
)
def test_tests_name_the_cases_that_they_are_about(name: str, expected: set[str]) -> None:
    assert ids(f"tests/server/test_faults.py::{name}") == expected


def test_results_are_read(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    results.write_text(
        dedent(
            """\
            <testsuites><testsuite>
            <testcase classname="tests.server.test_faults" name="test_stream[F1_refused]" />
            <testcase classname="tests.test_a" name="test_failed"><failure>no</failure></testcase>
            <testcase classname="tests.test_a" name="test_skipped"><skipped>no</skipped></testcase>
            <testcase classname="tests.test_a" name="test_torn_down" />
            <testcase classname="tests.test_a" name="test_torn_down"><error>no</error></testcase>
            </testsuite></testsuites>
            """
        )
    )
    assert read_results([results]) == {
        "tests/server/test_faults.py::test_stream[F1_refused]": True,
        "tests/test_a.py::test_failed": False,
        "tests/test_a.py::test_skipped": False,
        "tests/test_a.py::test_torn_down": False,
    }


def test_the_page_has_a_row_for_each_case() -> None:
    text = page(CATALOGUE, RESULTS)
    assert "| basic-response | pass |\n\n1 of 1 pass." in text
    assert "## F: Faults\n\n1 of 2 pass." in text
    assert "| F1 | refused | backends/test_chat_model, server/test_faults |" in text
    assert "| F2 | unknown | open: not yet |" in text
    assert "| S1 | nothing runs | test_check |" in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({f"{SUITE}[basic-response]": False}, "not all checks of Open Responses passed"),
        ({"tests/backends/test_chat_model.py::test_F1_refused": False}, r"not all tests .* \['F1'\]"),
        ({"tests/a/test_b.py::test_F2_unknown": True}, r"have tests but are open .* \['F2'\]"),
        ({"tests/a/test_b.py::test_F9_more": True}, r"not in the catalogue: \['F9'\]"),
    ],
)
def test_results_that_make_no_page(changed: dict[str, bool], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        page(CATALOGUE, RESULTS | changed)


def test_a_case_without_a_test_needs_a_reason() -> None:
    left = {name: passed for name, passed in RESULTS.items() if "test_calls" not in name}
    with pytest.raises(ValueError, match=r"have neither a test nor a reason .* \['S1'\]"):
        page(CATALOGUE, left)


def modules(*paths: str) -> list[Module]:
    sources = {
        "tests/server/test_faults.py": "def test_stream(): ...",
        "tests/backends/test_chat_model.py": "async def test_F1_refused(): ...",
        "tests/test_check.py": "def test_calls(): ...",
    }
    return [
        Module(path=path, name=path, text=text, tree=ast.parse(text), is_package=False)
        for path, text in sources.items()
        if path not in paths
    ]


def test_a_page_that_may_be_true_has_no_problem() -> None:
    assert list(stale(CATALOGUE, modules(), page(CATALOGUE, RESULTS))) == []


def test_a_module_that_is_gone_is_found() -> None:
    (problem,) = stale(CATALOGUE, modules("tests/server/test_faults.py"), page(CATALOGUE, RESULTS))
    assert "F1 is not covered by server/test_faults" in problem


def test_a_test_of_another_name_that_is_gone_is_found() -> None:
    problems = list(stale(CATALOGUE, modules("tests/test_check.py"), page(CATALOGUE, RESULTS)))
    assert any("S1 is not covered by tests/test_check.py::test_calls" in problem for problem in problems)


def test_a_page_of_another_catalogue_is_found() -> None:
    text = page(CATALOGUE, RESULTS).replace("| F2 |", "| F3 |")
    (problem,) = stale(CATALOGUE, modules(), text)
    assert "not the cases of the catalogue" in problem


def test_the_projects_catalogue_is_whole() -> None:
    """Return the number of cases of each letter."""
    cases = conformance.catalogue().cases
    counts = {letter: sum(case[0] == letter for case in cases) for letter in "FTBSDR"}
    assert counts == {"F": 45, "T": 18, "B": 52, "S": 28, "D": 20, "R": 20}
