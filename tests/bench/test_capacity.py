"""The section of the scaling page with measured figures."""

import asyncio
from pathlib import Path

import pytest

from bench import capacity
from bench.capacity import WRITERS, section
from bench.table import Table
from tests.bench.test_page import ABOUT


def test_the_section_has_each_number_of_writers_and_each_database() -> None:
    table = Table()
    table.add("connection", "server", {"KB": 9.0})
    table.add("stream", "server", {"KB": 45.0})
    for writers in WRITERS:
        for kind in ("SQLite", "PostgreSQL"):
            values = {"responses/s": 100.0 * writers, "transactions/s": 200.0, "CPU ms/response": 0.5}
            values["database CPU ms/response"] = 0.25
            table.add(f"{writers} writers", kind, values)
    text = section(ABOUT, table, ["SQLite", "PostgreSQL"])
    assert "| An open stream whose model is silent, of 1,000 | 45.0 |" in text
    assert "| 16 | 1,600 / 200 / 0.500 / 0.250 | 1,600 / 200 / 0.500 / 0.250 |" in text


def test_writers_share_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "_SECONDS", 0.2)
    found = asyncio.run(capacity._stored(f"sqlite:///{tmp_path}/state.db", None, 16))
    assert 0 < found["transactions/s"] < found["responses/s"]
