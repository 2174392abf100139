"""Modules that `import antiphon.agent` loads."""

import subprocess
import sys

HEAVY = ("openai", "pydantic", "griffe", "asyncio", "httpx2", "starlette", "sqlalchemy")


def test_the_import_is_light_and_loads_no_code_of_the_server() -> None:
    program = "import antiphon.agent, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.split()
    assert not [name for name in loaded if name in HEAVY]
    ours = {name.split(".")[1] for name in loaded if name.startswith("antiphon.")}
    assert ours == {"agent", "wire"}
