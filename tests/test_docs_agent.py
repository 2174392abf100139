"""The pages on agents: outputs of the tutorial, and the tables of the reference."""

import dataclasses
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from antiphon import agent as package
from antiphon.agent import Agent, Turn
from antiphon.agent.connection import DELAYS
from antiphon.agent.events import AgentEvent, StepDelta, StepResult, StopReason
from antiphon.testing import LocalServer, serve
from tests.support.programs import Programs
from tests.test_docs import DOCUMENTED_URL, ROOT, TUTORIAL, examples

REFERENCE = (ROOT / "docs" / "agent.md").read_text(encoding="utf-8")
OUTPUTS = (
    r'This is antiphon/sample, .* You wrote: "Is it cold in Oslo\?" .*\n',
    r'.* get_weather gave: "It is cold in Oslo for 1 days\."\n',
    r'🤔 \n📞 Calling get_weather\({"city":"Oslo"}\)\n🔧 Executing tools...\n'
    r"  → get_weather: It is cold in Oslo\.\n🤔 .* gave: \"It is cold in Oslo\.\"\n",
    r'.* You wrote: "What should I wear\?" .*\n4 messages\n',
    r"Oslo (True|False)\n",
)
"""Output of each program of the tutorial, in order."""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with serve(mode="live", backends=[]) as server:
        yield server


@pytest.fixture(scope="module")
def programs(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("programs"), server.url) as programs:
        yield programs


def rows(heading: str) -> dict[str, list[str]]:
    """Return the names in code in each row of the table below a line, by the first one."""
    table = REFERENCE.partition(f"{heading}\n|---")[2].partition("\n\n")[0].splitlines()[1:]
    names = [re.findall(r"`([^`]+)`", row) for row in table]
    return {first: rest for first, *rest in names}


def in_tutorial() -> list[str]:
    """Return the programs of the tutorial."""
    return [program for page, program in examples("python") if page == TUTORIAL]


@pytest.mark.parametrize(("program", "output"), [*zip(in_tutorial(), OUTPUTS, strict=True)])
def test_the_programs_of_the_tutorial_print_what_the_page_says(
    server: LocalServer, programs: Programs, program: str, output: str
) -> None:
    done = programs.run(program.replace(DOCUMENTED_URL, server.url))
    assert (done.stderr, done.returncode) == ("", 0)
    assert re.fullmatch(output, done.stdout), done.stdout


@pytest.mark.parametrize(
    ("heading", "union"),
    [
        ("| event | fields |", AgentEvent),
        ("| delta | fields | meaning |", StepDelta),
        ("| result | fields |", StepResult),
    ],
)
def test_the_reference_has_each_event_with_its_fields(heading: str, union: object) -> None:
    classes = {kind.__name__: kind for kind in get_args(union)}
    documented = rows(heading)
    assert list(documented) == list(classes)
    for name, fields in documented.items():
        actual = {field.name for field in dataclasses.fields(classes[name])}
        assert set(fields) == actual - {"event_type", "delta_type"}, name
        assert name in package.__all__


def test_the_reference_has_each_setting_with_its_default() -> None:
    settings = [field.name for field in dataclasses.fields(Agent) if field.init]
    assert sorted(rows("| setting | value |")) == sorted(settings)
    defaults = {field.name: field.default for field in dataclasses.fields(Agent)}
    assert f"turn fails; {defaults['max_responses']} by default" in REFERENCE
    assert f"call; {defaults['tool_timeout']} by default" in REFERENCE


def test_the_reference_has_the_fields_of_a_turn_and_the_stop_reasons() -> None:
    fields = {field.name for field in dataclasses.fields(Turn)} - {"turn_id", "session_id"}
    assert set(rows("| field of `Turn` | value |")) == fields
    sentence = REFERENCE.partition("`stop_reason` is ")[2].partition(".")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(get_args(StopReason))
    assert len(DELAYS) == 5
    assert "gives up after five attempts" in REFERENCE
