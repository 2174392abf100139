from pathlib import Path

import pytest

from bench import peers
from bench.peers import Peer


def test_the_version_is_that_of_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    peer = Peer("some", ("some-server[all]==2.0", "other"), "some")
    before = peer.version
    assert before is None
    place = tmp_path / "some" / "lib" / "python3.12" / "site-packages" / "some_server-1.9.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: some-server\nVersion: 1.9\n")
    after = peer.version
    assert after == "1.9"
    assert peer.wanted == "2.0"
