"""The examples of `docs/clients.md`, each run with its own client."""

from pathlib import Path

import pytest

from tests.real_clients.installed import environment, run
from tests.real_clients.page import INSTALLS, examples
from tests.support.serving import Serving
from tests.test_docs import DOCUMENTED_URL


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("client", "language", "text"), examples(), ids=[each[0] for each in examples()])
def test_an_example(client: str, language: str, text: str, server: Serving, tmp_path: Path) -> None:
    folder = environment(client)
    program = folder / ("example.py" if language == "python" else "example.mjs")
    program.write_text(text.replace(DOCUMENTED_URL, server.url), encoding="utf-8")
    interpreter = str(folder / "bin" / "python") if language == "python" else "node"
    assert run([interpreter, str(program)], tmp_path, {}).strip()


def test_every_client_has_an_example() -> None:
    assert {client for client, _, _ in examples()} == set(INSTALLS.values())
