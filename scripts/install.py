"""Installation into this interpreter's environment, with progress on standard error.

`python -m scripts.install REQUIREMENT` runs pip with the pinned versions. It imports only the standard
library, because it runs before anything else is installed.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[\w.-]+")
_PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]


def progress(lines: Iterable[str]) -> Iterator[str]:
    """Yield a text for each line of pip's output that shows progress."""
    count = 0
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "Collecting" and (name := _NAME.match(rest)):
            count += 1
            yield f"package {count}: {name[0]}"
        elif line.startswith("Installing collected packages"):
            yield f"installing {count} packages"


def main(arguments: list[str]) -> int:
    """Install the requirements and return pip's exit code; show its output only if it fails."""
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    command = [sys.executable, *_PIP, *constraints, *arguments]
    output: list[str] = []
    show = sys.stderr.write
    is_terminal = sys.stderr.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None

        def kept() -> Iterator[str]:
            for line in pip.stdout or ():
                output.append(line)
                yield line

        for text in progress(kept()):
            # A terminal shows one line that changes; a log has a line per package.
            show(f"\r\x1b[K  {text}" if is_terminal else f"  {text}\n")
            sys.stderr.flush()
    show("\r\x1b[K" if is_terminal else "")
    if pip.returncode:
        show("".join(output))
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
