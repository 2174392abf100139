"""`antiphon keys` and its output; servers that require keys, as processes."""

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Start
from tests.cli.test_serve import failure


def test_a_key_goes_to_standard_output_and_all_else_beside_it(run: Run) -> None:
    code, out, err = run("keys", "create", "alice", "--database", "state.db")
    assert code == 0
    assert out.startswith("sk-antiphon-")
    assert out.count("\n") == 1
    assert err.splitlines() == [
        "antiphon: created key alice for owner alice; save it now, it is shown only once",
        "antiphon: this is the first key; running servers require a key within five seconds",
    ]
    assert out.strip().encode() not in b"".join(path.read_bytes() for path in Path().glob("state.db*"))


def test_the_list(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_DATABASE", "state.db")
    assert run("keys", "list") == (0, "", "antiphon: no keys exist; create one with antiphon keys create\n")
    _, alice, _ = run("keys", "create", "alice")
    limits = ("--requests-per-minute", "60", "--tokens-per-minute", "9000", "--concurrent-streams", "2")
    _, other, err = run("keys", "create", "alice-at-night", "--owner", "alice", *limits)
    assert err.startswith("antiphon: created key alice-at-night for owner alice;")
    assert err.count("\n") == 1
    code, out, err = run("keys", "list")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.split() == ["alice", "alice", f"...{alice.strip()[-4:]}", first.split()[3]]
    assert second.startswith("alice-at-night  alice  ..." + other.strip()[-4:])
    assert second.endswith("  60 requests/min, 9000 tokens/min, 2 streams")
    assert alice.strip() not in out


def test_a_revoked_key_is_not_listed(run: Run) -> None:
    database = ("--database", "state.db")
    run("keys", "create", "alice", *database)
    code, out, err = run("keys", "revoke", "alice", *database)
    assert (code, out) == (0, "")
    assert err == "antiphon: revoked alice; running servers reject it within five seconds\n"
    assert run("keys", "list", *database)[1] == ""
    code, _, err = run("keys", "revoke", "alice", *database)
    assert (code, err) == (2, "antiphon: no key is named 'alice'; list all keys with antiphon keys list\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["create", "two words"], 1, "Invalid 'name'"),
        (["create", "--owner", "a/b"], 1, "Invalid 'owner'"),
        (["create", "--requests-per-minute", "0"], 2, "--requests-per-minute"),
        (["create", "--database", ":memory:"], 2, "no key persists in memory"),
        (["list", "--database", "mysql://host/db"], 2, "mysql"),
        (["revoke"], 2, "NAME"),
    ],
)
def test_what_is_wrong_is_one_line(run: Run, arguments: list[str], code: int, words: str) -> None:
    got, out, err = run("keys", *arguments)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert words in err


def test_a_name_is_given_once(run: Run) -> None:
    run("keys", "create", "alice")
    code, out, err = run("keys", "create", "alice")
    assert (code, out, err) == (1, "", "antiphon: The key name 'alice' is already taken. Use another name.\n")


def status(url: str, headers: Mapping[str, str] | None = None) -> int:
    """Return the status of GET /models."""
    request = urllib.request.Request(f"{url}/models", headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["data"]
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


OPEN = ("--port", "0", "--host", "0.0.0.0", "--database", "state.db")


def test_S27_another_host_needs_a_key_or_the_operators_word(
    run: Run,
    start: Start,
    tmp_path: Path,
) -> None:
    code, line = failure(start(*OPEN))
    assert code == 2
    assert line.startswith("antiphon: host 0.0.0.0: other machines could use this server without a key;")
    for way in ("antiphon keys create", "ANTIPHON_API_KEY", "--allow-anonymous"):
        assert way in line
    key = run("keys", "create", "--database", str(tmp_path / "state.db"))[1].strip()
    server = start(*OPEN, "--print-url")
    url = told(server).replace("0.0.0.0", "127.0.0.1")
    assert status(url) == 401
    assert status(url, {"Authorization": f"Bearer {key}"}) == 200
    server.send_signal(signal.SIGTERM)
    _, err = server.communicate(timeout=30)
    assert key not in err


def test_S27_a_server_with_allow_anonymous_serves_everybody(start: Start) -> None:
    url = told(start(*OPEN, "--allow-anonymous", "--print-url")).replace("0.0.0.0", "127.0.0.1")
    assert status(url) == 200
    assert status(url, {"Host": "api.example"}) == 200


def test_S27_a_server_without_keys_answers_this_machine_only_and_says_so(start: Start) -> None:
    server = start("--port", "0", "--database", "state.db")
    assert server.stderr is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("export "):
        lines.append(server.stderr.readline())
    assert "access    no authentication; this machine only\n" in lines
    url = lines[-1].partition("=")[2].strip()
    assert url.startswith("http://127.0.0.1:")
    assert status(url) == 200
    assert status(url, {"Host": "evil.example"}) == 403


def told(server: "subprocess.Popen[str]") -> str:
    """Return the URL that a server prints once it listens."""
    assert server.stdout is not None
    return server.stdout.readline().strip()
