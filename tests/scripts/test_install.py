import subprocess
import sys
from pathlib import Path

from scripts import install

OUTPUT = """\
Obtaining file:///project
  Preparing metadata (pyproject.toml): started
Collecting click>=8.5 (from antiphon==0.1.0)
  Using cached click-8.5.1-py3-none-any.whl (117 kB)
Collecting h2==4.4.1
Requirement already satisfied: pip
Installing collected packages: h2, click
Successfully installed click-8.5.1 h2-4.4.1
"""


def test_each_package_is_progress() -> None:
    assert list(install.progress(OUTPUT.splitlines())) == [
        "package 1: click",
        "package 2: h2",
        "installing 2 packages",
    ]


def test_pips_output_is_shown_if_it_fails(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.install", str(tmp_path / "nothing.whl")]
    done = subprocess.run(command, cwd=install.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "nothing.whl" in done.stderr
