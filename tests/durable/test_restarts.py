"""PostgreSQL is restarted while servers use it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.wire.json import JSONObject
from tests.durable.processes import ASK, processes
from tests.durable.test_kills import check_log
from tests.server.client import get, post
from tests.server.following import created, followed
from tests.support.postgresql import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.processes]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="antiphon-")))  # Sockets need a short path.
    yield cluster
    cluster.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_a_restart_of_postgresql_in_the_middle_loses_nothing(
    cluster: Cluster, tmp_path: Path, transport: str
) -> None:
    cluster.create(transport)
    with processes(tmp_path, cluster.url(transport, transport)) as (servers, backend, _):
        url = servers.server(0).url
        conversation = post(url, "/conversations", {}).json["id"]
        backend.pause = 0.1
        read: list[JSONObject] = []
        with created(url, ASK | {"conversation": conversation}) as (response_id, lines):
            while not read or read[-1]["type"] != "response.output_text.delta":
                read.append(next(lines))
            before = backend.rounds.copy()
            cluster.restart()
            read += list(lines)
        events = followed(url, response_id).payloads
        check_log(events)
        kept = [event for event in read if event["type"] != "error"]
        assert events[1 : len(kept) + 1] == kept
        response = get(url, f"/responses/{response_id}").json
        assert response == events[-1]["response"]
        assert (backend.rounds[0], backend.rounds[1]) == (before[0], before[1]) == (1, 1)
        # The conversation is free, and the next request finds the database at once.
        backend.pause = 0.01
        said = post(url, "/responses", {"model": "m", "input": "hi", "conversation": conversation})
        assert (said.status, said.json["status"]) == (200, "completed")
