"""Server inside a Python process, for tests that record model calls once and then replay them.

    with serve("tests/recordings") as server:
        client = OpenAI(base_url=server.url_of("the capital"), api_key="unused")
        client.responses.create(model="gpt-4o", input="What is the capital of France?")

`in_process` does the same without a socket. `antiphon.pytest_plugin` provides fixtures for both.
"""

from antiphon.testing.in_process import InProcessServer, in_process
from antiphon.testing.server import LocalServer, Outcome, serve

__all__ = ["InProcessServer", "LocalServer", "Outcome", "in_process", "serve"]
