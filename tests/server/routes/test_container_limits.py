"""Limits and expiry of containers."""

from pathlib import Path

from antiphon.service.files.folder import FileFolder
from antiphon.settings.tools import CodeInterpreterSettings, ToolsSettings
from tests.server.client import get, post
from tests.server.routes.test_containers import add, created, delete
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream

LIMITS = CodeInterpreterSettings(max_disk_bytes=1000, max_containers=3)


def test_limits_hold(tmp_path: Path, upstream: Upstream) -> None:
    tools = ToolsSettings(code_interpreter=LIMITS)
    with Serving(tmp_path / "limits.db", backends(backend(upstream)), tools=tools) as server:
        url = server.url
        containers = [created(url)["id"] for _ in range(3)]
        refused = [post(url, "/containers", {"name": "a"}) for _ in range(1000)]
        assert {reply.status for reply in refused} == {429}, "a thousand containers"
        assert refused[0].error["code"] == "too_many_containers"
        delete(url, f"/containers/{containers[0]}")
        created(url)
        assert add(url, containers[1], b"x" * 900).status == 200
        full = add(url, containers[1], b"x" * 101)
        assert (full.status, full.error["code"]) == (400, "container_full")
        assert len(contents(server)) == 1, "a refused upload leaves nothing"


def test_containers_expire_with_their_files(tmp_path: Path, upstream: Upstream) -> None:
    with Serving(tmp_path / "expiry.db", backends(backend(upstream))) as server:
        url, now = server.url, 1000.0
        server.store.containers._clock = lambda: now
        soon = created(url, expires_after={"anchor": "last_active_at", "minutes": 1})["id"]
        later = created(url)["id"]
        add(url, soon, b"x")
        add(url, later, b"y")
        now += 50
        get(url, f"/containers/{soon}")  # A use begins the time again.
        now += 50
        assert get(url, f"/containers/{soon}").status == 200
        now += 61
        assert get(url, f"/containers/{soon}").status == 404
        assert [each["id"] for each in get(url, "/containers").json["data"]] == [later]
        assert len(contents(server)) == 2
        server.call(server.file_services.delete_expired())
        assert len(contents(server)) == 1
        assert get(url, f"/containers/{later}/files").json["data"][0]["bytes"] == 1


def contents(server: Serving) -> list[Path]:
    """Return the contents of files on the disk."""
    folder: FileFolder = server.file_services.containers.folder
    return list(folder.path.iterdir())
