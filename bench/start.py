"""W7: startup time, disk usage and idle memory of a server."""

import importlib.metadata
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

import antiphon as antiphon_package
from bench.peers import PEERS
from bench.servers import antiphon
from bench.table import Table
from bench.workloads import Target

NAME = "W7 start"
_TIMES = 5
_INSTALLER = re.compile(r"/site-packages/(pip|setuptools)\b")


def started_up(table: Table, stub_port: int) -> None:
    """Measure the time to the first response, `--help`, the idle memory and the size."""
    helps = []
    for _ in range(_TIMES):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "antiphon", "--help"], check=True, capture_output=True)
        helps.append(time.monotonic() - began)
    starts, idle = [], []
    for _ in range(_TIMES):
        with tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
            starts.append(server.ready)
            idle.append(server.memory())
    values = {
        "first answer s": statistics.median(starts),
        "--help s": statistics.median(helps),
        "idle RSS MB": statistics.median(idle) / 1e6,
        "installed MB": installed_bytes("antiphon") / 1e6,
    }
    table.add(NAME, "antiphon", values)


def peers_started(table: Table, targets: Sequence[Target]) -> None:
    """Measure the same for other servers that have just been started, each once."""
    folders = {peer.name: peer.folder for peer in PEERS}
    for target in targets:
        values = {
            "first answer s": target.server.ready,
            "idle RSS MB": target.server.memory() / 1e6,
            "installed MB": _environment_bytes(folders[target.name]) / 1e6,
        }
        table.add(NAME, target.name, values)


def _environment_bytes(environment: Path) -> int:
    """Return the size of an environment without its Python and installer."""
    kept = (path for path in environment.rglob("*") if not _INSTALLER.search(path.as_posix()))
    return sum(path.stat().st_size for path in kept if path.is_file() and not path.is_symlink())


def installed_bytes(package: str) -> int:
    """Return the installed size of a package and its dependencies."""
    found: set[str] = set()
    waiting = [package]
    size = 0
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        distribution = importlib.metadata.distribution(name)
        places = [Path(str(file.locate())) for file in distribution.files or ()]
        size += sum(place.stat().st_size for place in places if place.exists())
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    source = Path(antiphon_package.__file__).parent
    if not any(source.is_relative_to(place) for place in sys.path if "site-packages" in place):
        size += sum(place.stat().st_size for place in source.rglob("*.py"))  # An editable installation.
    return size
