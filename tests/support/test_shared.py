"""The access of tests to the data beside the checkout."""

from pathlib import Path

import pytest

from tests.support.schemas import check_response
from tests.support.shared import Access, shared

DOCUMENT = "reference/openai-openapi.json"


def test_a_test_without_the_marker_must_not_read_the_data() -> None:
    with pytest.raises(pytest.fail.Exception, match="needs the marker"):
        shared(DOCUMENT)


@pytest.mark.shared
def test_a_test_with_the_marker_reads_the_data() -> None:
    assert shared(DOCUMENT).is_file()


def test_without_the_data_tests_with_the_marker_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.support.shared.ROOT", tmp_path / "nowhere")
    monkeypatch.setattr(Access, "is_allowed", True)
    with pytest.raises(pytest.fail.Exception, match=r"openai-openapi\.json of .*nowhere"):
        shared(DOCUMENT)


def test_without_the_data_the_checks_of_answers_do_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.support.shared.ROOT", tmp_path / "nowhere")
    check_response({"not": "a response"})
