import re
import sys
import tomllib

from scripts import install_size
from scripts.install import ROOT
from scripts.install_size import LIMIT, Dependency, Package, dependencies, needed_by, problems, table

KNOWN = {"a": Dependency(megabytes=1, why="First"), "b": Dependency(megabytes=1, why="Second")}


def test_an_installation_within_the_limit_has_no_problems() -> None:
    packages = [Package(name="a", bytes=LIMIT - 1), Package(name="b", bytes=1)]
    assert problems(packages, KNOWN) == []
    assert table(packages).splitlines()[-1] == "  150.0 MB  in all"


def test_packages_without_a_reason_and_the_sum_are_reported() -> None:
    packages = [Package(name="a", bytes=LIMIT), Package(name="new", bytes=1_000_000)]
    assert problems(packages, KNOWN) == [
        "new: add the reason to dependencies.toml",
        "b: it is not installed; remove it from dependencies.toml",
        "the installation has 151 MB, more than 150",
    ]


def test_the_packages_that_need_one_are_found() -> None:
    packages = [
        Package(
            name="x", bytes=1, requires=["My_Lib[fast]>=2; python_version > '3'", "other; extra == 'dev'"]
        ),
        Package(name="y", bytes=1, requires=["my-lib", "my-library"]),
    ]
    assert needed_by("my-lib", packages) == ["x", "y"]
    assert needed_by("other", packages) == []


def test_this_environment_can_be_measured() -> None:
    sizes = {package.name: package.bytes for package in install_size.measure(sys.executable)}
    assert sizes["msgspec"] > 100_000
    assert "pip" not in sizes


def test_every_direct_dependency_has_its_own_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {re.split(r"[>=;\[ ]", each)[0] for each in project["dependencies"]}
    reasons = {name: entry.why for name, entry in dependencies().items()}
    assert direct <= reasons.keys()
    assert [name for name in sorted(direct) if reasons[name].startswith("Needed by")] == []
