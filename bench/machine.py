"""What must be known of a run to judge its figures: machine, Python, date, commit, command; its file."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.peers import PEERS
from bench.table import Table

_ROOT = Path(__file__).parent.parent
_BUILD = """
import json, platform, sysconfig
optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print(json.dumps({"version": platform.python_version(), "optimised": optimised}))
"""


class Python(msgspec.Struct):
    """What runs a server."""

    version: str
    optimised: bool
    """Whether it was built with profile-guided optimisation, as distributions build it."""


class Peer(msgspec.Struct):
    """Another server of the run."""

    version: str
    python: Python


class About(msgspec.Struct):
    """The run, and where it ran."""

    date: str
    commit: str
    command: str
    cpu: str
    cores: int
    kernel: str
    python: Python
    peers: dict[str, Peer]
    other_load: float = 0.0
    """The share of the machine that others used."""


class Run(msgspec.Struct):
    """A file of results."""

    about: About
    rows: list[dict[str, str | float]]


def write(path: Path, about: About, table: Table) -> None:
    """Writes a run as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(Run(about, table.rows)), indent=1) + b"\n")


def read(path: Path) -> tuple[About, Table]:
    """Returns a run that was written."""
    run = msgspec.json.decode(path.read_bytes(), type=Run)
    return run.about, Table(run.rows)


class OtherLoad:
    """How much of the machine others use meanwhile: processes that are not the benchmark's, and the host."""

    def __init__(self) -> None:
        self._began, self._all, self._ours = time.monotonic(), _busy(), _ours()

    def share(self) -> float:
        """Returns the share of all cores' time since this was made."""
        took = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(0.0, (_busy() - self._all) - (_ours() - self._ours)) / took


def _busy() -> float:
    """Returns the seconds that all cores were not idle, or were taken by the host; see proc_stat(5)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    """Returns the CPU seconds of this process and of those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def about(command: str) -> About:
    """Looks at the machine, the checkout and the peers; `command` is what repeats the run."""
    return About(
        date=time.strftime("%Y-%m-%d"),
        commit=_commit(),
        command=command,
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        kernel=f"{platform.system()} {platform.release()}",
        python=_python(sys.executable),
        peers={
            peer.name: Peer(version, _python(str(peer.folder / "bin" / "python")))
            for peer in PEERS
            if peer.path.exists() and (version := peer.version) is not None
        },
    )


def _commit() -> str:
    def git(*command: str) -> str:
        found = subprocess.run(["git", *command], cwd=_ROOT, check=False, capture_output=True, text=True)
        return found.stdout.strip()

    changed = git("status", "--porcelain", "--", "src")
    return git("rev-parse", "--short", "HEAD") + (" and changes on it" if changed else "")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _python(program: str) -> Python:
    found = subprocess.run([program, "-c", _BUILD], check=True, capture_output=True).stdout
    return msgspec.json.decode(found, type=Python)
