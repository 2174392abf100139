"""Data of the 0.1.0 server, which the current server opens and answers from in the same way.

The folder `v0_1_0` holds the data; `README.md` describes its origin. Its `expected.json` has the requests and
the answers of 0.1.0 about the same data.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from antiphon.recording.calls.recorded import Address
from antiphon.recording.files.scope_file import read
from antiphon.wire.json import JSON, JSONObject
from tests.corpus.asking import Asker, environment, ids_in, serving, settings_for, stable
from tests.support.upstream import Upstream

DATA = Path(__file__).parent / "v0_1_0"
EXPECTED: JSONObject = json.loads((DATA / "expected.json").read_text("utf-8"))
READS, RECOVERED, TURNS, REPLAYS = (EXPECTED[part] for part in ("reads", "recovered", "turns", "replays"))
FOLDERS: JSONObject = EXPECTED["folders"]
CONFIG: list[JSONObject] = EXPECTED["config"]

NOTES = '[tools.mcp.notes]\ncommand = "not-called"\n'
"""Settings of a replay; the answers of the MCP server are recorded."""
NO_IMAGES: JSONObject = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "total_tokens": 0,
    }
}
"""The tool usage of a response without images, except for its searches."""
FAR = 1e11
"""A time that no frozen clock reaches."""


def named(exchanges: Iterable[JSONObject]) -> list[JSON]:
    """Return the exchanges as parameters of a test, with their names as ids."""
    return [pytest.param(each, id=each["question"]["name"]) for each in exchanges]


@dataclass
class Replayed:
    """Answers of a folder of recordings, by the names of the requests, and the lines of the hit log."""

    answers: dict[str, JSON]
    hits: list[JSON]


class Running:
    """Servers on copies of the data, each called in its own thread because starts are slow."""

    def __init__(self, pool: Executor, folder: Path) -> None:
        self._answers = pool.submit(ask_database, made(folder / "database"))
        self._replayed = {name: pool.submit(replay, name, made(folder / name)) for name in FOLDERS}

    def answer(self, exchange: JSONObject) -> JSON:
        """Return the answers of the server on the database."""
        return self._answers.result()[exchange["question"]["name"]]

    def replayed(self, name: str) -> Replayed:
        """Return the answers of the server on a folder of recordings."""
        return self._replayed[name].result()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start the servers and send all requests."""
    with ThreadPoolExecutor() as pool:
        yield Running(pool, tmp_path_factory.mktemp("corpus"))


def made(folder: Path) -> Path:
    """Create a folder and return it."""
    folder.mkdir()
    return folder


def ask_database(folder: Path) -> dict[str, JSON]:
    """Open a copy of the database and send all requests in order; return the answers by name."""
    shutil.copy(DATA / "antiphon.db", folder)
    shutil.copytree(DATA / "files", folder / "antiphon.db.files")
    renew_idempotency_keys(folder / "antiphon.db")
    exchanges = [*RECOVERED, *READS, *TURNS]
    known = ids_in([exchange["question"] for exchange in exchanges]) | ids_in([RECOVERED, READS])
    keys: dict[str, str] = EXPECTED["keys"]
    with Upstream() as upstream:
        (folder / "antiphon.toml").write_text(settings_for(upstream), "utf-8")
        with (
            serving(folder, "--database", "antiphon.db", ANTIPHON_API_KEY=keys["local"]) as url,
            closing(Asker(url, keys, upstream)) as asker,
        ):
            await_recovery(asker)
            found = {each["question"]["name"]: asker.ask(each["question"]) for each in exchanges}
    return {name: stable(answer, known, EXPECTED["written_at"]) for name, answer in found.items()}


def replay(name: str, folder: Path) -> Replayed:
    """Return the answers from a copy of a folder of recordings."""
    shutil.copytree(DATA / name, folder / "recordings")
    (folder / "antiphon.toml").write_text(NOTES, "utf-8")
    flags = ("--replay", "recordings", "--freeze", "--volatile", "run=run-[0-9]+", "--hit-log", "hits.jsonl")
    seal_key: str = EXPECTED["seal_key"]
    with serving(folder, *flags, ANTIPHON_SEAL_KEY=seal_key) as url, closing(Asker(url)) as asker:
        found = {each["question"]["name"]: asker.ask(each["question"]) for each in REPLAYS}
    answers = {name: stable(answer, ids_in(answer), FAR) for name, answer in found.items()}
    lines = (folder / "hits.jsonl").read_text("utf-8").splitlines()
    return Replayed(answers, [json.loads(line) for line in lines])


def renew_idempotency_keys(database: Path) -> None:
    """Set the dates of stored answers to now, because they expire after a day; all else remains."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("UPDATE idempotency_keys SET created_at = ?", (time.time(),))
    connection.close()


def await_recovery(asker: Asker) -> None:
    """Wait, within limits, until the server has found the responses that the killed server left running."""
    deadline = time.monotonic() + 10
    killed = RECOVERED[0]["question"]
    while asker.ask(killed)["body"]["status"] == "in_progress" and time.monotonic() < deadline:
        pass


def with_new_fields(value: JSON) -> JSON:
    """Return an answer of 0.1.0 with the fields that objects have got since."""
    if isinstance(value, list):
        return [with_new_fields(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    fields = {key: with_new_fields(entry) for key, entry in value.items()}
    if value.get("object") == "response" and value.get("error") is not None:
        # Stored errors, and those of killed servers, have no details.
        fields["error"] |= {"param": None, "type": None}
    return {"expires_at": None, **fields} if value.get("object") == "file" else fields


def with_tool_usage(answer: JSON) -> JSON:
    """Return an answer of 0.1.0 with the usage of tools, which responses that may search the web have now."""
    body = answer["body"]
    tools = body.get("tools") if isinstance(body, dict) and body.get("object") == "response" else None
    if body and "web_search" in [tool["type"] for tool in tools or ()]:
        searches = sum(item["type"] == "web_search_call" for item in body["output"])
        return {
            **answer,
            "body": {**body, "tool_usage": NO_IMAGES | {"web_search": {"num_requests": searches}}},
        }
    return answer


def with_error_details(answer: JSON) -> JSON:
    """Return an answer of 0.1.0 with the details of the error event, which failed responses have now."""
    events = answer["body"] if isinstance(answer["body"], list) else []
    errors = [event["error"] for event in events if isinstance(event, dict) and event.get("type") == "error"]
    for event in events:
        if isinstance(event, dict) and event.get("type") == "response.failed":
            event["response"]["error"] |= {name: errors[0][name] for name in ("param", "type")}
    return answer


def with_request_id(answer: JSON) -> JSON:
    """Return an answer of 0.1.0 with the ID of the request, which errors have got since."""
    body = answer["body"]
    if isinstance(body, dict) and body.keys() == {"error"}:
        return {**answer, "body": {**body, "request_id": "req_new"}}
    return answer


@pytest.mark.parametrize("exchange", named(READS))
def test_the_database_is_read_as_before(running: Running, exchange: JSONObject) -> None:
    assert running.answer(exchange) == with_request_id(with_new_fields(exchange["answer"]))


@pytest.mark.parametrize("exchange", named(RECOVERED))
def test_what_a_killed_server_left_is_recovered(running: Running, exchange: JSONObject) -> None:
    assert running.answer(exchange) == with_new_fields(exchange["answer"])


@pytest.mark.parametrize("exchange", named(TURNS))
def test_what_is_stored_goes_on(running: Running, exchange: JSONObject) -> None:
    answer, before = running.answer(exchange), with_request_id(exchange["answer"])
    if before["body"].get("object") == "vector_store.search_results.page":
        # Keyword scores have another formula now. The hits and their order are the same.
        for hit, hit_before in zip(answer["body"]["data"], before["body"]["data"], strict=True):
            assert 0.1 < hit["score"] <= 1
            hit["score"] = hit_before["score"]
    assert answer == before


@pytest.mark.parametrize("name", FOLDERS)
def test_recordings_answer_as_before(running: Running, name: str) -> None:
    replayed = running.replayed(name)
    differing = {each["name"]: each["answer"] for each in FOLDERS[name]["differs"]}
    for exchange in REPLAYS:
        question = exchange["question"]["name"]
        before = with_error_details(with_tool_usage(differing.get(question, exchange["answer"])))
        assert replayed.answers[question] == before, question
    assert replayed.hits == FOLDERS[name]["hits"]


@pytest.mark.parametrize(
    ("command", "source", "target"),
    [("export", "recordings", "llama_stack"), ("import", "llama_stack", "imported")],
)
def test_recordings_are_converted_as_before(command: str, source: str, target: str, tmp_path: Path) -> None:
    shutil.copytree(DATA / source, tmp_path / source)
    run(tmp_path, "recordings", command, source, "--into", target)
    convert = calls_of if target == "imported" else decoded
    assert convert(tmp_path / target) == convert(DATA / target)


def decoded(folder: Path) -> JSONObject:
    """Return the JSON files of a folder by name."""
    return {file.name: json.loads(file.read_text("utf-8")) for file in folder.iterdir()}


def calls_of(folder: Path) -> JSONObject:
    """Return the calls of our own format's files, which can refer to each other in other ways than before.

    0.1.0 also kept the addresses of llama-stack, which repeat the version.
    """
    return {
        file.name: [
            {
                **vars(call),
                "parts": [bytes(part) for part in call.parts],
                "address": real_address(call.address),
            }
            for call in read(file)
        ]
        for file in folder.iterdir()
    }


def real_address(address: Address) -> Address:
    return msgspec.structs.replace(address, url=address.url.replace("/v1/v1/", "/v1/"))


CORRECTED_PRESETS: dict[str, JSONObject] = {"llamacpp": {"named_tool_choice": False}}
"""Capability switches that 0.1.0 had wrong, by the kind of backend."""


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CONFIG])
def test_settings_mean_what_they_meant(case: JSONObject, tmp_path: Path) -> None:
    folders = {"antiphon.toml": tmp_path, "config.toml": tmp_path / ".config" / "antiphon"}
    for file in case["files"]:
        folders[file].mkdir(parents=True, exist_ok=True)
        shutil.copy(DATA / file, folders[file])
    printed = run(tmp_path, "config", *case["flags"], **case["variables"])
    settings = tomllib.loads(printed.replace(str(tmp_path), "FOLDER"))
    expected = tomllib.loads("\n".join(case["printed"]))
    for backend in expected.get("models", {}).values():
        backend |= CORRECTED_PRESETS.get(backend["kind"], {})
    assert settings == with_new_settings(expected, settings)


NEW_DEFAULTS = {"max_body_bytes": (100 * 2**20, 32 * 2**20)}
"""Defaults of 0.1.0 that were changed since, and their values now."""


def with_new_settings(expected: JSONObject, settings: JSONObject) -> JSONObject:
    """Return the settings of 0.1.0 with those of `settings` that are new since, or have a new default."""
    merged = settings | expected
    for name, (old, new) in NEW_DEFAULTS.items():
        if merged.get(name) == old:
            merged[name] = new
    for name, table in expected.items():
        if isinstance(table, dict) and isinstance(settings.get(name), dict):
            merged[name] = with_new_settings(table, settings[name])
    return merged


def run(folder: Path, *arguments: str, **variables: str) -> str:
    """Run the program in `folder` and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
