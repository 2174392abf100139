"""Identities of server processes."""

import os
import subprocess
import sys

import pytest

from antiphon.serving import identity
from antiphon.serving.identity import has_ended, new_identity


def identity_of_another_process() -> str:
    """Return the identity that a process gave itself before its end."""
    script = "from antiphon.serving.identity import new_identity; print(new_identity(8321, 1))"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_no_two_starts_have_one_identity() -> None:
    assert len({new_identity(8321, 1) for _ in range(100)}) == 100


def test_an_identity_names_the_port_and_the_worker() -> None:
    assert new_identity(8321, 1).partition("#")[0].endswith(":8321")
    assert new_identity(8321, 3).partition("#")[0].endswith(":8321/3")


def test_a_process_of_this_machine_has_ended_once_it_does_not_exist() -> None:
    mine, other = new_identity(8321, 1), identity_of_another_process()
    assert not has_ended(mine)
    assert has_ended(other) == (sys.platform != "win32")


def test_nothing_is_known_about_processes_of_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    here = identity_of_another_process()
    monkeypatch.setattr(identity, "_machine", lambda: "another")
    assert not has_ended(here)


@pytest.mark.parametrize(
    "other", ["", "host:8321", "host:8321/2", "server_1", "h#x@m-1", "h#99999999999999@m-1"]
)
def test_nothing_is_known_about_other_identities(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setattr(identity, "_machine", lambda: "m")
    assert not has_ended(other)
