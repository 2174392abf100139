"""The commands beside a running server of the same database, in a terminal."""

import json
import re
from collections.abc import Iterator

import pytest

from antiphon.testing import serve
from tests.cli.log.conftest import NewDatabase
from tests.cli.log.terminal import in_terminal
from tests.server.client import post

SAMPLE = {"model": "antiphon/sample"}


@pytest.fixture(scope="module")
def path(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture(scope="module")
def url(path: str) -> Iterator[str]:
    with serve(mode="live", backends=[], database=path) as server:
        yield server.url


def program(path: str, *arguments: str, **more: object) -> str:
    """Run a command in a wide terminal without colors, and return its output."""
    env = {"ANTIPHON_DATABASE": path, "ANTIPHON_DISCOVER": "false", "NO_COLOR": "1"}
    return in_terminal(*arguments, columns=400, env=env, **more)  # type: ignore[arg-type]


def made(url: str, text: str, **more: str) -> str:
    """Return the ID of a new response."""
    response_id: str = post(url, "/responses", SAMPLE | {"input": text} | more).json["id"]
    return response_id


def test_a_response_of_the_server_is_listed_shown_forked_and_compared(url: str, path: str) -> None:
    first = made(url, "When do the ferries leave?")
    listed = program(path, "logs", "-q", "ferries")
    assert listed.count("\n") == 1
    assert first[:22] in listed
    assert f"{first}  completed" in program(path, "show", "-1")
    sent = json.loads(program(path, "show", first[:30], "--request", "--format", "json"))
    assert sent["requests"][0]["is_exact"]
    assert len(json.loads(program(path, "show", "-1", "--events", "--format", "json"))["events"]) > 5
    fork = program(path, "replay-run", first, "--from", "1", "--input", "When do the trains leave?")
    assert f"fork of {first}" in fork
    compared = program(path, "diff", first, "-1")
    assert "first difference: step 1, text" in compared
    assert compared.count("\n> ") >= 2


def test_following_shows_the_responses_of_the_server(url: str, path: str) -> None:
    before = made(url, "Before.")
    after: list[str] = []

    def ended(seen: str) -> bool:
        if not after and before[:22] in seen:
            after.append(made(url, "After."))
        return bool(after) and after[0][:22] in seen

    seen = program(path, "logs", "-f", "-n", "1", until=ended)
    assert re.findall(r"resp_\w{17}", seen) == [before[:22], after[0][:22]]
    assert "Traceback" not in seen
