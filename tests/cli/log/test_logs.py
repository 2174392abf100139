"""`antiphon logs`, in this process and in a terminal."""

import asyncio
import json
import re
import time

import pytest

from antiphon.cli.log.layout import cut, duration
from antiphon.store import Store
from tests.cli.conftest import Run
from tests.cli.log.conftest import Filled
from tests.cli.log.terminal import in_terminal
from tests.store.log.samples import Facts, logged


def ids(output: str) -> list[str]:
    return [json.loads(line)["id"] for line in output.splitlines()]


def test_the_newest_line_is_the_last(run: Run, filled: Filled) -> None:
    code, out, err = run("logs", "--json")
    assert (code, err) == (0, "")
    assert ids(out) == [filled.first, filled.second, "req_1"]
    assert ids(run("logs", "--json", "-n", "1")[1]) == ["req_1"]


def test_a_line_has_what_people_look_for_and_no_control_character(run: Run, filled: Filled) -> None:
    first, second, refused = run("logs")[1].splitlines()
    assert filled.first[:22] in first
    assert re.search(r"completed    up/m +\d\.\d\ds +\d\.\d\ds +- ", first)
    assert "svc.look  When do the ferries \\x1b[31mleave? Soon?" in first
    assert "And the" in second
    assert "refused" in refused
    assert "model_not_found: " in refused
    assert "\x1b" not in first + refused
    assert max(map(len, (first, second, refused))) <= 200


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["-q", "trains"], ["second"]),
        (["-q", "nothing"], []),
        (["--tool", "svc.look", "-n", "5"], ["first", "second"]),
        (["--errors"], ["req_1"]),
        (["--status", "completed", "-n", "1"], ["second"]),
        (["--model", "up/m", "--since", "1h"], ["first", "second"]),
        (["--key", "alice"], []),
        (["--conversation", "conv_1"], []),
        (["--since", "2000-01-01"], ["first", "second", "req_1"]),
    ],
)
def test_each_option_selects_its_lines(
    run: Run, filled: Filled, arguments: list[str], found: list[str]
) -> None:
    names = {filled.first: "first", filled.second: "second", "req_1": "req_1"}
    code, out, err = run("logs", "--json", *arguments)
    assert code == 0
    expected = [name for name in found if name != "second" or "--tool" not in arguments]
    assert [names[each] for each in ids(out)] == expected
    assert err == ("" if expected else "antiphon: no lines; the log has the responses of this database\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--since", "5"], "invalid value for '--since': '5' is not a duration such as 1h, nor a time"),
        (["-n", "0"], "invalid value for '-n' / '--number': 0 is not in the range 1<=x<=10000"),
        (["--database", "missing.db"], "/missing.db: no such database; start a server, or set --database\n"),
        (["--database", ":memory:"], "database: nothing persists in memory"),
    ],
)
def test_wrong_options_are_explained_in_one_line(run: Run, arguments: list[str], error: str) -> None:
    code, out, err = run("logs", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("antiphon: ")
    assert error in err
    assert err.count("\n") == 1


def test_a_terminal_has_colors_and_its_own_width(filled: Filled) -> None:
    out = in_terminal("logs", columns=70)
    assert "\x1b[32mcompleted  \x1b[0m" in out
    assert "\x1b[31mrefused    \x1b[0m" in out
    plain = re.sub(r"\x1b\[\d+m", "", out)
    assert [len(line) for line in plain.splitlines()] == [70, 70, 70]
    assert all(line.endswith("…") for line in plain.splitlines())


def test_without_colors_there_are_none(filled: Filled) -> None:
    assert "\x1b" not in in_terminal("logs", env={"NO_COLOR": "1"})


def test_following_shows_a_response_when_it_ends(filled: Filled) -> None:
    added = False

    def add(seen: str) -> bool:
        nonlocal added
        if not added and "req_1" in seen:
            added = True
            asyncio.run(_add(filled.path))
        return "later" in seen

    out = in_terminal("logs", "-f", "-n", "1", columns=200, until=add)
    assert re.findall(r"(req_1|resp_\d+)", out) == ["req_1", re.search(r"resp_\d+", out)[0]]  # type: ignore[index]
    assert "Traceback" not in out
    asyncio.run(_remove(filled.path, re.findall(r"resp_\d+", out)[0]))


async def _add(path: str) -> None:
    store = await Store.open(path)
    await logged(store, int(time.time()) + 1, "later", Facts(owner="local"))
    await store.close()


async def _remove(path: str, response_id: str) -> None:
    store = await Store.open(path)
    assert await store.responses.delete("local", response_id)
    await store.close()


def test_lengths() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
    assert [duration(each) for each in (None, 0.123, 12.0, 1234.5)] == ["-", "0.12s", "12.00s", "1234s"]
