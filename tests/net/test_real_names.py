"""Redirects and DNS rebinding, with the system's resolver and a real DNS server."""

import json
import os
import subprocess
import sys

import pytest

_OWN_NETWORK = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
"""A network, and mounts, of one process and its children; Linux allows it without rights."""


def _has_own_networks() -> bool:
    try:
        probe = subprocess.run([*_OWN_NETWORK, "ip", "link", "set", "lo", "up"], capture_output=True)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _has_own_networks(), reason="needs Linux with user namespaces and `ip`")
def test_S11_S12_no_name_leads_to_a_private_address() -> None:
    run = subprocess.run(
        [*_OWN_NETWORK, sys.executable, "-m", "tests.net.real_names"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        timeout=50,
    )
    assert run.returncode == 0, run.stderr
    refused = "address_not_allowed"
    ways = ("by_check", "by_judge", "by_fetch", "by_transport")
    assert json.loads(run.stdout) == {
        **{f"{way}: public": "ok" for way in ways},
        **{f"{way}: private": refused for way in ways},
        **{f"{way}: mixed": refused for way in ways},
        "by_fetch: redirected": refused,
        "by_transport: redirected": refused,
        "rebound after the check": refused,
        "rebound before the redirect": refused,
        "looked up once": "ok",
        "queries for once.example": 1,
        "judged without a name": "address_not_fetched",
        "private server": "not reached",
    }
