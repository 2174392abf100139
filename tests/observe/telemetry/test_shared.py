"""Metrics of several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from antiphon.observe.telemetry.shared import DIRECTORY, forget_stopped, shared_metrics

_WORKER = """
import sys
from antiphon.observe.telemetry.metrics import Metrics
from antiphon.observe.telemetry.calls import ToolRun

metrics = Metrics()
metrics.request("GET", "/v1/models", 200, 0.1)
metrics.streams.inc()
print("ready", flush=True)
if sys.stdin.readline().strip() == "scrape":
    sys.stdout.write(metrics.text((3, 1)).decode())
"""


@pytest.mark.slow
def test_a_scrape_of_one_worker_sums_all_and_forgets_the_streams_of_stopped_ones(tmp_path: Path) -> None:
    env = {**os.environ, DIRECTORY: str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}

    def worker() -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", _WORKER], env=env, stdin=pipe, stdout=pipe, text=True)

    with worker() as one, worker() as two, worker() as three:
        for each in (one, two, three):
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        three.communicate("stop\n", timeout=30)
        text, _ = one.communicate("scrape\n", timeout=30)
        two.communicate("stop\n", timeout=30)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [sample.value for sample in families["antiphon_requests"].samples] == [3]
    assert [sample.value for sample in families["antiphon_streams_open"].samples] == [2]
    assert [sample.value for sample in families["antiphon_background_queued"].samples] == [3]


def test_the_directory_is_deleted_by_the_process_that_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DIRECTORY, raising=False)
    with shared_metrics():
        folder = Path(os.environ[DIRECTORY])
        assert folder.is_dir()
        (folder / f"gauge_livesum_{os.getpid()}.db").touch()
        (folder / "gauge_livesum_999999999.db").touch()
        (folder / "counter_999999999.db").touch()
        forget_stopped(folder)
        assert {file.name for file in folder.iterdir()} == {
            f"gauge_livesum_{os.getpid()}.db",
            "counter_999999999.db",
        }
    assert not folder.exists()
    assert DIRECTORY not in os.environ


def test_a_directory_of_the_operator_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    with shared_metrics():
        assert os.environ[DIRECTORY] == str(tmp_path)
    assert tmp_path.is_dir()
