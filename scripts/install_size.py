"""Sizes of the packages that a plain installation has, with the reason for each.

`python -m scripts.install_size PYTHON` measures an interpreter's environment and prints the table. It exits
with 1 if the sum is over the limit, or a package has no reason in `dependencies.toml`. With `--write`, it
replaces the sizes in that file; `make docs` then writes the table into the documentation.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

FILE = Path(__file__).resolve().parent / "dependencies.toml"
LIMIT = 150_000_000
"""Bytes of a plain installation, at most, with the bytecode and without pip."""

_MEASURE = """
import json, sys
from importlib.metadata import distributions
from pathlib import Path

def size(each):
    paths = {Path(each.locate_file(file)) for file in each.files or ()}
    for path in [path for path in paths if path.suffix == ".py"]:
        paths.update((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    return sum(path.stat().st_size for path in paths if path.is_file())

json.dump(
    [
        {
            "name": each.metadata["Name"].lower().replace("_", "-"),
            "bytes": size(each),
            "requires": each.requires or [],
        }
        for each in distributions()
        if each.metadata["Name"].lower() not in ("pip", "setuptools", "wheel")
    ],
    sys.stdout,
)
"""
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Package(Struct, frozen=True, kw_only=True):
    """An installed package."""

    name: str
    bytes: int
    requires: list[str] = []


class Dependency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `dependencies.toml`."""

    megabytes: float
    why: str


def dependencies() -> dict[str, Dependency]:
    """Return the entries of `dependencies.toml` by the names of the packages."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return msgspec.convert(document, dict[str, Dependency])


def measure(python: str) -> list[Package]:
    """Return the packages of an environment, the largest first, with the bytecode that pip wrote."""
    done = subprocess.run([python, "-c", _MEASURE], check=True, capture_output=True)
    packages = msgspec.json.decode(done.stdout, type=list[Package])
    return sorted(packages, key=lambda package: -package.bytes)


def problems(packages: list[Package], known: Mapping[str, Dependency]) -> list[str]:
    """Return what is wrong with an installation: its size, and packages without a reason."""
    found = [
        f"{package.name}: add the reason to {FILE.name}" for package in packages if package.name not in known
    ]
    names = {package.name for package in packages}
    found += [
        f"{name}: it is not installed; remove it from {FILE.name}" for name in known if name not in names
    ]
    total = sum(package.bytes for package in packages)
    if total > LIMIT:
        found.append(f"the installation has {total / 1e6:.0f} MB, more than {LIMIT / 1e6:.0f}")
    return found


def needed_by(name: str, packages: list[Package]) -> list[str]:
    """Return the installed packages that require one, without optional requirements."""
    found = {
        package.name
        for package in packages
        for each in package.requires
        if "extra ==" not in each
        and (match := _REQUIREMENT.match(each))
        and match[0].lower().replace("_", "-") == name
    }
    return sorted(found)


def table(packages: list[Package]) -> str:
    """Return the packages as lines of text, with their sum."""
    lines = [f"{package.bytes / 1e6:7.1f} MB  {package.name}" for package in packages]
    return "\n".join([*lines, f"{sum(package.bytes for package in packages) / 1e6:7.1f} MB  in all"])


def write(packages: list[Package], known: Mapping[str, Dependency]) -> None:
    """Replace the sizes in `dependencies.toml`; the reason of a new one is the packages that need it."""
    entries = []
    for package in packages:
        why = (
            known[package.name].why
            if package.name in known
            else f"Needed by {', '.join(needed_by(package.name, packages))}"
        )
        entries.append(f'[{package.name}]\nmegabytes = {package.bytes / 1e6:.1f}\nwhy = "{why}"\n')
    FILE.write_text("\n".join(entries), encoding="utf-8")


def main() -> int:
    """Measure, print and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts.install_size")
    parser.add_argument("python", help="interpreter of the environment to measure")
    parser.add_argument("--write", action="store_true", help="replace the sizes in dependencies.toml")
    given = parser.parse_args()
    packages = measure(given.python)
    known = dependencies() if FILE.exists() else {}
    print(table(packages))
    if given.write:
        write(packages, known)
        return 0
    found = problems(packages, known)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
