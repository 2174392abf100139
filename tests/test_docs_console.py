"""The documentation's sessions in a terminal run, in projects that hold the files which the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.upstream import Upstream, chunk, sse
from tests.test_docs import FENCE, PAGES, ROOT

SAID = {"README.md": "Paris, of course.", "docs/testing.md": "It is long."}
"""What the model says, by page."""
FILE = re.compile(r"# (\S+\.py)\n")


def blocks(page: str) -> list[tuple[str, str]]:
    """The fenced examples of a page, each with its language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(match[1], match[2]) for match in FENCE.finditer(text)]


SESSIONS = [page for page in PAGES if any(language == "console" for language, _ in blocks(page))]


@pytest.mark.parametrize("page", SESSIONS)
def test_sessions_print_what_the_page_says(page: str, tmp_path: Path) -> None:
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "ANTIPHON_DISCOVER": "false",
        "PYTHONWARNINGS": "error",
    }
    project = tmp_path / "project"
    sessions = []
    for language, text in blocks(page):
        if language == "python" and (named := FILE.match(text)):
            path = project / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif language == "console":
            sessions += re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    recorded = False
    for command, expected in sessions:
        if "--recording=record" in command:
            with Upstream() as upstream:
                upstream.script(sse(chunk(SAID[page]), chunk(finish="stop")))
                keys = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "none"}
                printed = output(command, project, env | keys)
            recorded = True
        else:
            # By now there is no backend and no key any more.
            assert recorded, command
            printed = output(command, project, env)
        assert re.fullmatch(pattern(expected), printed), f"{command}\n{printed}"


def output(command: str, project: Path, env: dict[str, str]) -> str:
    """Runs a command; returns what it prints to both streams."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        check=False,
    )
    return done.stdout


def pattern(expected: str) -> str:
    """What the page prints: `...` stands for anything, a time for any time, a space for several."""
    whole = re.escape(expected).replace(re.escape("...\n"), "(?s:.*)").replace(re.escape("..."), ".*")
    whole = re.sub(r"in\\ \d+\\\.\d+s", r"in [0-9.]+s", whole)
    return re.sub(r"(\\ )+", " +", whole)
