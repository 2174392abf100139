"""Results file of a run, with the machine, versions, date, commit and command."""

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
optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print(json.dumps({"version": platform.python_version(), "optimized": optimized}))
"""


class Python(msgspec.Struct):
    """The Python that runs a server."""

    version: str
    """The version of Python."""
    optimized: bool
    """Whether profile-guided optimization was on, as in Linux distributions."""


class Peer(msgspec.Struct):
    """Another server in the run."""

    version: str
    """The version of the server."""
    python: Python
    """The Python of its environment."""


class About(msgspec.Struct):
    """The circumstances of a run."""

    date: str
    """The date of the run."""
    commit: str
    """The commit of the checkout."""
    command: str
    """The command that repeats the run."""
    cpu: str
    """The model of the processor."""
    cores: int
    """The number of cores."""
    kernel: str
    """The operating system and its version."""
    python: Python
    """The Python that runs Antiphon."""
    peers: dict[str, Peer]
    """The other installed servers."""
    other_load: float = 0.0
    """The share of the machine's CPU time that other processes used."""


class Run(msgspec.Struct):
    """The content of a results file."""

    about: About
    """The circumstances of the run."""
    rows: list[dict[str, str | float]]
    """The rows of its table."""


def write(path: Path, about: About, table: Table) -> None:
    """Write a run as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(Run(about, table.rows)), indent=1) + b"\n")


def read(path: Path) -> tuple[About, Table]:
    """Return the run in a results file."""
    run = msgspec.json.decode(path.read_bytes(), type=Run)
    return run.about, Table(run.rows)


class OtherLoad:
    """The CPU time of other processes and of the host during the benchmark."""

    def __init__(self) -> None:
        self._began, self._all, self._ours = time.monotonic(), _busy(), _ours()

    def share(self) -> float:
        """Return the share of all cores' time since this object was created."""
        took = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(0.0, (_busy() - self._all) - (_ours() - self._ours)) / took


def _busy() -> float:
    """Return the seconds in which cores were busy or used by the host (proc_stat(5))."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    """Return the CPU seconds of this process and its ended child processes."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def about(command: str) -> About:
    """Return the circumstances of a run; `command` is the command that repeats it."""
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
