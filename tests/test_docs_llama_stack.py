"""The commands and claims of the page on llama-stack."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import OpenAI

from antiphon.dialects.llama_stack import DIFFERENCES
from antiphon.wire.json import JSONObject
from tests.dialects.asking import scenario
from tests.mcp_servers.running import servers
from tests.server.client import get, post
from tests.server.test_mcp_workflow import check, descriptions, requests
from tests.test_docs import FENCE, ROOT

PAGE = (ROOT / "docs" / "llama_stack.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's fenced examples in a language."""
    return [match[2] for match in FENCE.finditer(PAGE) if match[1] == language]


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[str]:
    """Run `antiphon` with these arguments in a folder, with its state in memory; yield its URL."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "antiphon", *arguments]
    command += ["--port", "0", "--print-url", "--no-discover", "--database", ":memory:"]
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def create(url: str, body: JSONObject, test: str) -> JSONObject:
    """Return the response to a request of a test."""
    headers = {"X-OGX-Provider-Data": f'{{"__test_id": "{test}"}}'}
    with OpenAI(base_url=url, api_key="none", default_headers=headers, max_retries=0) as client:
        return client.responses.create(**body | {"stream": False}).to_dict()


@pytest.mark.shared
def test_the_command_replays_models_and_searches_and_calls_mcp_servers(tmp_path: Path) -> None:
    (line,) = blocks("bash")
    program, *arguments = shlex.split(line)
    assert program == "antiphon"
    scenario(tmp_path / "recordings", "_multi_turn_tool_execution[client_with_models", "web_search[")
    with servers(tmp_path, descriptions()) as running, serving(tmp_path, *arguments) as url:
        local = running.url.replace("127.0.0.1", "localhost")
        bodies = {test: body for test, body in requests(local).items() if "user_permissions_workflow" in test}
        done = 0
        for test, body in bodies.items():
            if "client_with_models" in test:
                check(test, create(url, body, test))
                done += 1
        assert done == 2
        assert running.asked().count("tools/call") == 6
        test = "test_tool_responses.py::test_response_non_streaming_web_search[openai_client]"
        searched = create(
            url,
            {
                "model": "openai/gpt-4o",
                "input": "How many experts does the Llama 4 Maverick model have?",
                "tools": [{"type": "web_search", "search_context_size": "low"}],
            },
            test,
        )
        assert [item["type"] for item in searched["output"]] == ["web_search_call", "message"]
        assert searched["output"][0]["status"] == "completed"


def test_endpoints_that_are_absent_are_so(tmp_path: Path) -> None:
    paths = re.findall(r"^/v1\S+$", "\n".join(blocks("text")), re.MULTILINE)
    assert len(paths) > 5
    with serving(tmp_path, "serve") as url:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        assert {get(origin, path).status for path in paths} == {404}
        assert {post(origin, path, {}).status for path in paths} == {404}
        assert get(origin, "/v1/models").status == 200


def test_the_table_has_a_row_for_each_difference() -> None:
    table = PAGE.partition("|---|---|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert len(table) == len(DIFFERENCES)
    assert all(row.count("|") == 5 for row in table)


@pytest.mark.parametrize("value", ["auto", "openai", "llama-stack", "llama-stack-2025"])
def test_each_dialect_is_in_the_table_of_values(value: str) -> None:
    assert f"\n| `{value}` | " in PAGE
