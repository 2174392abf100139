import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from antiphon.ids import current_request
from antiphon.observe.logging import JsonFormatter, TextFormatter, configure
from antiphon.settings.schema import Settings


def record(message: str, *values: object, level: int = logging.INFO, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("antiphon.access", level, __file__, 1, message, values, None)
    made.__dict__.update(more)
    return made


def broken() -> logging.LogRecord:
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        return record("It broke", level=logging.ERROR, exc_info=sys.exc_info())


def test_text_is_one_line_with_the_time() -> None:
    line = TextFormatter().format(record("GET %s", "/v1/models"))
    date, time, rest = line.split(" ", 2)
    assert rest == "GET /v1/models"
    written = datetime.fromisoformat(f"{date}T{time}")
    assert abs(datetime.now() - written) < timedelta(seconds=60)


@pytest.mark.parametrize(
    ("level", "word"), [(logging.WARNING, "warning: "), (logging.ERROR, "error: "), (logging.DEBUG, "")]
)
def test_the_level_is_named_where_it_matters(level: int, word: str) -> None:
    assert TextFormatter().format(record("Hm", level=level)).split(" ", 2)[2] == f"{word}Hm"


def test_a_line_about_a_request_has_its_id() -> None:
    token = current_request.set("req_12ab")
    try:
        assert TextFormatter().format(record("Hm")).endswith(" Hm [req_12ab]")
        assert json.loads(JsonFormatter().format(record("Hm")))["request_id"] == "req_12ab"
    finally:
        current_request.reset(token)
    assert "request_id" not in json.loads(JsonFormatter().format(record("Hm")))


def test_the_time_of_json_has_the_format_of_RFC_3339() -> None:
    entry = json.loads(JsonFormatter().format(record("Hm")))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry["time"])


def test_nobody_can_forge_a_line_or_colour_it() -> None:
    line = TextFormatter().format(record("GET %s", "/a\nb\r\x1b[31mc\u2028d é"))
    assert line.split(" ", 2)[2] == r"GET /a\nb\r\x1b[31mc\u2028d é"


def test_text_keeps_tracebacks() -> None:
    first, second, *rest = TextFormatter().format(broken()).split("\n")
    assert first.endswith("error: It broke")
    assert second == "Traceback (most recent call last):"
    assert rest[-1] == "ZeroDivisionError: by zero"


def test_json_is_one_line_with_all_fields() -> None:
    line = JsonFormatter().format(record("a\nb", fields={"status": 200, "error": None}))
    assert "\n" not in line
    entry = json.loads(line)
    written = datetime.fromisoformat(entry.pop("time"))
    assert abs(datetime.now(UTC) - written) < timedelta(seconds=60)
    assert entry == {
        "level": "info",
        "logger": "antiphon.access",
        "message": "a\nb",
        "status": 200,
        "error": None,
    }


def test_json_keeps_tracebacks() -> None:
    entry = json.loads(JsonFormatter().format(broken()))
    assert entry["level"] == "error"
    assert entry["traceback"].endswith("ZeroDivisionError: by zero")


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("antiphon")
    before = root.level, ours.level, root.handlers[:]
    root.handlers.clear()  # `configure` closes the handlers that it finds.
    yield
    root.handlers[:] = before[2]
    root.setLevel(before[0])
    ours.setLevel(before[1])


@pytest.mark.usefixtures("_logging_as_it_was")
@pytest.mark.parametrize(("log_format", "begins"), [("text", ""), ("json", "{")])
def test_configure(log_format: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(database=":memory:", log_format=log_format, log_level="info")  # type: ignore[arg-type]
    configure(settings)
    logging.getLogger("antiphon.access").info("ours")
    logging.getLogger("antiphon.access").debug("too much")
    logging.getLogger("uvicorn.error").info("theirs")
    logging.getLogger("uvicorn.error").warning("worse")
    logging.getLogger("uvicorn.error").error("ASGI callable returned without completing handshake.")
    out, err = capsys.readouterr()
    assert out == ""
    shown = err.splitlines()
    assert len(shown) == 2
    assert "ours" in shown[0]
    assert "worse" in shown[1]
    assert all(line.startswith(begins) for line in shown)
