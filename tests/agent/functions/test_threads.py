"""Functions in threads."""

import contextvars
import subprocess
import sys

import pytest

from antiphon.agent.functions.threads import in_thread

PLACE = contextvars.ContextVar("place", default="none")


def test_a_function_sees_the_context_of_its_creator() -> None:
    PLACE.set("Oslo")
    assert in_thread(PLACE.get).result().get() == "Oslo"


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyError])
def test_any_exception_is_part_of_the_outcome(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error("no")

    outcome = in_thread(fail).result(timeout=20)
    assert type(outcome.error) is error
    with pytest.raises(error):
        outcome.get()


def test_a_function_that_hangs_does_not_keep_the_process_alive() -> None:
    program = (
        "import threading\n"
        "from antiphon.agent.functions.threads import in_thread\n"
        "in_thread(threading.Event().wait)\n"
        "print('end')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "end\n"
