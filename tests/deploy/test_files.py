"""Linters and schemas for the files of `deploy/`; `make test-deploy` runs these tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = ROOT / ".clients" / "deploy" / "bin"
"""Programs of `requirements.txt`."""


def run(*command: str | Path) -> str:
    """Run a command that has to succeed, and return its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def program(name: str) -> str:
    """Return a program of the machine; without it, skip the test and name it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_the_container_file_follows_hadolint() -> None:
    run(TOOLS / "hadolint", DEPLOY / "Containerfile")


def test_what_the_container_copies_is_in_its_context() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_yaml_is_well_formed() -> None:
    run(TOOLS / "yamllint", "-c", ROOT / ".yamllint.yml", DEPLOY, ROOT / ".github")


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("compose-spec", "deploy/compose*.yaml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_files_match_the_schema_of_their_format(schema: str, pattern: str) -> None:
    files = sorted(ROOT.glob(pattern))
    assert files
    run(TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@pytest.mark.parametrize(("name", "count"), [("kubernetes.yaml", 5), ("kubernetes.queue.yaml", 1)])
def test_kubernetes_manifests_match_their_schemas(name: str, count: int) -> None:
    kinds = re.findall(r"^kind: (\w+)$", (DEPLOY / name).read_text(), re.MULTILINE)
    output = run(TOOLS / "kubernetes-validate", "--strict", DEPLOY / name)
    assert output.count(" passed for resource ") == len(kinds) == count


def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    unit = tmp_path / "antiphon.service"
    unit.write_text(
        (DEPLOY / "antiphon.service").read_text().replace("/opt/antiphon/bin/antiphon", sys.executable)
    )
    assert run(analyze, "verify", unit) == ""
    exposure = re.search(
        r"Overall exposure level for \S+: ([0-9.]+)", run(analyze, "security", "--offline=true", unit)
    )
    assert exposure is not None
    assert float(exposure[1]) < 2


def test_caddy_reads_its_file() -> None:
    caddy = program("caddy")
    assert "Valid configuration" in run(
        caddy, "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"
    )
    run(caddy, "fmt", DEPLOY / "Caddyfile")


def test_every_variable_of_the_files_is_a_setting() -> None:
    from antiphon.settings.schema import SETTINGS

    known = {setting.env for setting in SETTINGS}
    for file in DEPLOY.iterdir():
        assert set(re.findall(r"ANTIPHON_[A-Z_]+", file.read_text())) <= known, file.name


def test_ci_skips_nothing() -> None:
    if os.environ.get("CI") == "true":
        for name in ("nginx", "systemd-analyze"):
            assert program(name)
