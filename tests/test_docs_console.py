"""Terminal sessions of the documentation, run in projects with the files that the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.upstream import Upstream, chunk, sse
from tests.test_docs import FENCE, PAGES, ROOT
from tests.test_pytest_plugin import OTHER_PLUGINS

SAID = {"README.md": "Paris, of course.", "docs/testing.md": "It is long."}
"""The reply of the model, by page."""
FILE = re.compile(r"# (\S+\.py)\n")


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the fenced examples of a page, each with its language."""
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
        "PYTEST_ADDOPTS": OTHER_PLUGINS,
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
            # The backend has stopped, and no key is set.
            assert recorded, command
            printed = output(command, project, env)
        assert re.fullmatch(pattern(expected), printed), f"{command}\n{printed}"


def output(command: str, project: Path, env: dict[str, str]) -> str:
    """Run a command and return its output on both streams."""
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
    """Return a pattern for output on a page: `...` matches anything, a time any time, a space several."""
    whole = re.escape(expected).replace(re.escape("...\n"), "(?s:.*)").replace(re.escape("..."), ".*")
    whole = re.sub(r"in\\ \d+\\\.\d+s", r"in [0-9.]+s", whole)
    return re.sub(r"(\\ )+", " +", whole)
