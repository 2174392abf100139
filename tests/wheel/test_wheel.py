"""Contents and metadata of the wheel."""

import re
import zipfile
from email.parser import Parser
from pathlib import Path

from tests.wheel.conftest import ROOT, TOOLS, VERSIONS, run

KINDS = (".py", ".html", ".css", ".js", ".svg")


def test_the_wheel_has_every_module_and_page_and_nothing_else(wheel: Path) -> None:
    run([str(TOOLS / "check-wheel-contents"), str(wheel)])
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        file.relative_to(ROOT / "src").as_posix()
        for file in (ROOT / "src" / "antiphon").rglob("*")
        if file.suffix in KINDS
    }
    assert names == sources | {"antiphon/py.typed"}


def test_the_metadata_are_complete(wheel: Path) -> None:
    run([str(TOOLS / "twine"), "check", "--strict", str(wheel)])
    archive = zipfile.ZipFile(wheel)
    (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(archive.read(name).decode())
    for field in ("Summary", "Author", "Keywords", "License-Expression", "Requires-Python"):
        assert metadata[field], field
    classifiers = metadata.get_all("Classifier") or []
    assert {f"Programming Language :: Python :: {version}" for version in VERSIONS} <= set(classifiers)
    assert set(metadata.get_all("Provides-Extra") or []) == {"agent", "code", "dev", "otel", "postgres"}


def test_no_link_of_the_description_needs_a_clone(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
    description = str(Parser().parsestr(archive.read(name).decode()).get_payload())
    assert description.startswith("# Antiphon")
    assert [link for link in re.findall(r"\]\(([^)]+)\)", description) if not link.startswith("https:")] == []
