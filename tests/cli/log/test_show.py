"""`antiphon show` in its formats."""

import asyncio
import json
import re

import pytest

from antiphon.store import Store
from tests.cli.conftest import Run
from tests.cli.log.conftest import Filled
from tests.cli.log.terminal import in_terminal
from tests.durable.crashing import Servers
from tests.service.world import ME


def test_a_response_has_its_steps_with_arguments_and_results(run: Run, filled: Filled) -> None:
    code, out, err = run("show", filled.first)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"{filled.first}  completed  20")
    assert f"continued by {filled.second}" in lines
    steps = lines[lines.index("steps") :]
    times = [line.split("  ")[2] for line in steps if line.startswith("  ") and line[2].isdigit()]
    assert len(times) == 5
    assert all(re.fullmatch(r"at \d+\.\d\ds", time) for time in times)
    assert '    arguments: {"n": 1}' in steps
    assert "    result: seen 1" in steps
    assert "    text: All done." in steps
    assert "  user: When do the ferries \\x1b[31mleave?" in lines
    assert "\x1b" not in out


def test_a_unique_beginning_and_minus_one_name_a_response(run: Run, filled: Filled) -> None:
    assert run("show", filled.second[:-1])[1] == run("show", filled.second)[1]
    assert run("show", "-1")[1].startswith("req_1  refused")
    code, out, err = run("show", "resp_")
    assert (code, out) == (1, "")
    assert err.startswith("antiphon: Several responses begin with 'resp_': resp_")
    assert run("show", "resp_zz") == (1, "", "antiphon: Response with id 'resp_zz' not found.\n")
    assert run("show", "")[0] == 1


def test_a_refused_request_has_its_error(run: Run, filled: Filled) -> None:
    out = run("show", "req_1")[1]
    assert "model_not_found: The model 'up/n\\x1b]0;title\\x07' does not exist." in out
    assert "\x1b" not in out


def test_json_has_everything(run: Run, filled: Filled) -> None:
    found = json.loads(run("show", filled.first, "--format", "json")[1])
    assert [step["kind"] for step in found["timeline"]] == ["model", "tool", "model", "tool", "model"]
    assert found["input"][0]["content"][0]["text"] == "When do the ferries \x1b[31mleave?\nSoon?"
    assert found["response"]["output"][-1]["content"][0]["text"] == "All done."
    assert found["entry"]["id"] == filled.first


def test_no_text_can_leave_its_block_in_markdown(run: Run, filled: Filled) -> None:
    out = run("show", filled.second, "--format", "md")[1]
    assert "``````text\n  user: And the `````trains`````?\n``````" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_events_follow_from_the_items_of_a_response(run: Run, filled: Filled, form: str) -> None:
    code, out, err = run("show", filled.second, "--events", "--format", form)
    assert (code, err) == (0, "")
    assert '"type":"response.output_text.delta"' in re.sub(r'": "', '":"', out)
    found = json.loads(run("show", filled.second, "--events", "--format", "json")[1])
    assert [event["sequence_number"] for event in found["events"]] == list(range(len(found["events"])))
    assert found["events"][0]["type"] == "response.created"
    assert found["events"][-1]["response"]["id"] == filled.second
    assert "\x1b" not in out


def test_a_background_response_has_the_events_that_its_clients_receive(run: Run, filled: Filled) -> None:
    response_id = asyncio.run(background(filled.path))
    try:
        found = json.loads(run("show", response_id, "--events", "--format", "json")[1])
        plain = run("show", response_id, "--events")[1]
    finally:
        asyncio.run(removed(filled.path, response_id))
    kinds = [event["type"] for event in found["events"]]
    # The three deltas of the last text are stored as they were sent.
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert kinds.count("response.output_text.delta") > kinds.count("response.output_text.done")
    assert [event["sequence_number"] for event in found["events"]] == list(range(len(kinds)))
    assert plain.partition("\nevents\n")[2].count("\n") == len(kinds)


async def background(path: str) -> str:
    """Run a background response to its end, and return its ID."""
    store = await Store.open(path)
    servers = Servers(store)
    response_id = await servers.submit()
    await servers.go_on()
    await store.close()
    return response_id


async def removed(path: str, response_id: str) -> None:
    store = await Store.open(path)
    assert await store.responses.delete(ME, response_id)
    await store.close()


def test_a_refused_request_has_no_events(run: Run, filled: Filled) -> None:
    assert run("show", "req_1", "--events")[1] == run("show", "req_1")[1]


def test_a_terminal_has_colors(filled: Filled) -> None:
    assert "\x1b[32mcompleted\x1b[0m" in in_terminal("show", filled.second[:-1])
    assert "\x1b" not in in_terminal("show", filled.second, env={"NO_COLOR": "1"})
