"""Count of the modules that serve one request."""

import threading
from pathlib import Path

import antiphon
from antiphon.ids import new_id
from bench.modules import Profiler, counts


def test_a_search_takes_the_modules_of_a_plain_stream_and_those_of_the_tool() -> None:
    (plain, search) = counts().values()
    package = Path(antiphon.__file__).parent
    assert all((package / name).is_file() for name in search)
    assert "engine/loop.py" in plain
    # The step log is two of them: `engine/steps.py` notes the calls, and `service/steps.py` encodes them.
    assert len(plain) <= 40, "a plain stream enters more modules than it did"
    assert any(name.startswith("server/") for name in plain)
    assert not any("searxng" in name for name in plain)
    assert any("searxng" in name for name in search)
    assert len(plain) < len(search)


def test_only_functions_of_this_project_count_and_only_while_watched() -> None:
    profiler = Profiler()

    def work() -> None:
        Profiler()
        new_id("resp")

    threading.setprofile(profiler.note)
    try:
        for watching in (False, True):
            profiler.watching = watching
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert profiler.take() == (["ids.py"] if watching else [])
    finally:
        threading.setprofile(None)
