"""Python programs in processes of their own, without the time that they need to load their libraries."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FORKS = """
import json, os, runpy, sys
import openai, antiphon.agent

with openai.OpenAI(base_url=sys.argv[1], api_key="none") as client:
    request = {"model": "antiphon/sample", "input": "Hi"}
    client.responses.create(**request)
    list(client.responses.create(**request, stream=True))

for line in sys.stdin:
    path, *outputs = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, output in enumerate(outputs, 1):
            os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), number)
        kept = runpy.run_path(path, run_name="__main__")  # As long as a program keeps its variables.
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A program that has the libraries loaded, and runs others in copies of itself."""


@dataclass(frozen=True)
class Done:
    """A program that has ended."""

    returncode: int
    stdout: str
    stderr: str


class Programs:
    """Programs that run one after another, each in a process of its own, for a `with` block.

    Warnings are errors in them.

    Args:
        folder: A new folder.
        url: The base URL of a server, to which requests load what the libraries load late.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._count = 0
        command = [sys.executable, "-W", "error", "-c", _FORKS, url]
        env = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": ":".join(sys.path)}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, program: str) -> Done:
        """Run a program to its end."""
        self._count += 1
        path, *outputs = (self._folder / f"{self._count}.{kind}" for kind in ("py", "out", "err"))
        path.write_text(program, encoding="utf-8")
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([str(path), *map(str, outputs)]) + "\n")
        stdin.flush()
        code = int(stdout.readline())
        return Done(code, *(output.read_text(encoding="utf-8") for output in outputs))
