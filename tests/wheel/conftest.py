"""The wheel, and a local index with it and all packages that it needs; `make test-install` runs these tests.

The packages are downloaded once per interpreter, and the installations use nothing but the local index.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".clients" / "wheel" / "bin"
"""Programs of `requirements.txt`."""
VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def interpreters() -> dict[str, Path]:
    """Return the interpreters of this machine by version."""
    found: dict[str, Path] = {}
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    for version in VERSIONS:
        for folder in folders:
            path = folder / f"python{version}"
            if (
                version not in found
                and path.exists()
                and run([str(path), "--version"], check=False).returncode == 0
            ):
                found[version] = path
    return found


def run(
    command: list[str], env: Mapping[str, str] | None = None, *, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a command and return its output; show that of a failed one."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | (env or {}))
    assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project's wheel."""
    folder = tmp_path_factory.mktemp("built")
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)])
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session", params=VERSIONS)
def python(request: pytest.FixtureRequest) -> Path:
    """Return an interpreter; without it, skip the test and name the version."""
    version: str = request.param
    path = interpreters().get(version)
    if path is None:
        pytest.skip(f"Python {version} is not installed")
    return path


@pytest.fixture(scope="session")
def index(python: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder with the wheel and the pinned packages that an interpreter needs for it."""
    folder = tmp_path_factory.mktemp("index")
    constraints = str(ROOT / "constraints.txt")
    download = ["-m", "pip", "download", "--only-binary=:all:", "--constraint", constraints]
    run([str(python), *download, "--dest", str(folder), f"{wheel}[postgres]"])
    yield folder
    for file in folder.iterdir():
        file.unlink()


def only(index: Path, home: Path) -> dict[str, str]:
    """Return the variables with which pip, uv and pipx use a local index alone."""
    return {
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(index),
        "UV_CACHE_DIR": str(home / "uv"),
        "PIPX_HOME": str(home / "pipx"),
        "ANTIPHON_DISCOVER": "false",
        "ANTIPHON_DATABASE": ":memory:",
    }
