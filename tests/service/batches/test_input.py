"""The input file of a batch."""

import asyncio
import json
from pathlib import Path

import pytest

from antiphon.service.batches import input as batch_input
from antiphon.service.batches.input import InputCheck, Line, read_lines
from antiphon.wire.json import JSON
from tests.server.batching import RESPONSES, jsonl, line

GOOD = line("1")


def checked(*lines: JSON | bytes) -> InputCheck:
    """Check lines, given as JSON or as bytes."""
    check = InputCheck(RESPONSES)
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines]
    check.check([Line(number, text) for number, text in enumerate(texts, 1)])
    check.finish()
    return check


def without(key: str) -> JSON:
    return {name: value for name, value in GOOD.items() if name != key}


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[1]", "invalid_json_line", None),
        (b'"text"', "invalid_json_line", None),
        (b'{"custom_id": "\xff"}', "invalid_json_line", None),
        (b"[" * 100_000, "invalid_json_line", None),
        (without("custom_id"), "missing_required_parameter", "custom_id"),
        (GOOD | {"custom_id": 1}, "invalid_type", "custom_id"),
        (GOOD | {"custom_id": ""}, "invalid_value", "custom_id"),
        (GOOD | {"custom_id": "x" * 513}, "invalid_value", "custom_id"),
        (without("method"), "missing_required_parameter", "method"),
        (GOOD | {"method": "GET"}, "invalid_method", "method"),
        (without("url"), "missing_required_parameter", "url"),
        (GOOD | {"url": "/v1/embeddings"}, "invalid_url", "url"),
        (without("body"), "missing_required_parameter", "body"),
        (GOOD | {"body": None}, "missing_required_parameter", "body"),
        (GOOD | {"body": []}, "invalid_type", "body"),
        (GOOD | {"body": {}}, "missing_required_parameter", "body.model"),
        (GOOD | {"body": {"model": 1}}, "invalid_type", "body.model"),
        (line("1", stream=True), "unsupported_parameter", "body.stream"),
        (line("1", background=True), "unsupported_parameter", "body.background"),
    ],
)
def test_an_invalid_line_is_reported(given: JSON | bytes, code: str, param: str | None) -> None:
    [error] = checked(line("0"), given).errors
    assert (error.code, error.param, error.line) == (code, param, 2)
    assert error.message.endswith(".")


def test_all_lines_of_a_valid_file_are_counted() -> None:
    check = checked(line("1", stream=False), line("2"))
    assert (check.errors, check.total, check.model) == ([], 2, "up/m")


def test_ids_must_be_unique_and_models_the_same() -> None:
    check = checked(line("1"), line("1"), line("3", model="up/other"))
    assert [(error.code, error.line) for error in check.errors] == [
        ("duplicate_custom_id", 2),
        ("mismatched_model", 3),
    ]


def test_an_empty_file_is_an_error() -> None:
    assert [(error.code, error.line) for error in checked().errors] == [("empty_file", None)]


def test_a_file_has_a_maximum_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_input, "MOST_LINES", 2)
    check = checked(line("1"), line("2"), line("3"), line("3"))
    assert [(error.code, error.line) for error in check.errors] == [("too_many_requests", 3)]
    assert check.is_full


def test_the_number_of_errors_is_limited() -> None:
    check = checked(*([b"{"] * 500))
    assert len(check.errors) == 100


def read(path: Path, most: int = 1000) -> list[list[Line]]:
    async def run() -> list[list[Line]]:
        return [lines async for lines in read_lines(path, most)]

    return asyncio.run(run())


def test_lines_have_their_numbers_and_empty_ones_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\n  \ntwo\nthree")
    assert read(path) == [[Line(1, b"one"), Line(4, b"two"), Line(5, b"three")]]


def test_a_long_line_has_no_text_and_the_next_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"x" * 10 + b"\n" + b"y" * 5000 + b"\n" + b"z" * 11 + b"\nend")
    found = [Line(1, b"x" * 10), Line(2, None), Line(3, None), Line(4, b"end")]
    assert read(path, most=10) == [found]


def test_a_large_file_is_read_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text(jsonl(line(str(number)) for number in range(5000)))
    parts = read(path)
    assert len(parts) > 1
    assert [each.number for part in parts for each in part] == list(range(1, 5001))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing")
