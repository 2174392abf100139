"""Metrics of a server with workers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.observe.telemetry.test_metrics import parsed


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork, there are no workers")
def test_each_worker_answers_with_the_sums_of_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--print-url", "--no-discover"]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ANTIPHON_METRICS": "true",
        "ANTIPHON_WORKERS": "2",
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=pipe, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            for _ in range(20):
                assert httpx2.get(f"{url}/version", timeout=30).status_code == 200
            scraped = [httpx2.get(url.removesuffix("/v1") + "/metrics", timeout=30).text for _ in range(6)]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
    labels = (("method", "GET"), ("route", "/v1/version"), ("status", "200"))
    assert [parsed(text)["antiphon_requests_total", labels] for text in scraped] == [20] * 6
    assert not list(tmp_path.glob("antiphon-metrics-*"))
