"""Tests of the scripted backend, because other tests rely on it."""

import http.client
import json

from tests.support.upstream import Answer, Upstream, chunk, reply, sse


def test_it_answers_in_order_and_repeats_the_last() -> None:
    with Upstream(["a", "b"]) as upstream:
        upstream.script(sse(chunk("Hi"), chunk(finish="stop")), reply(status=503, Retry_After="1"))
        connection = http.client.HTTPConnection("127.0.0.1", upstream.port)
        for status in (200, 503, 503):
            connection.request("POST", "/v1/chat/completions", json.dumps({"n": status}))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        connection.request("GET", "/v1/models")
        listed = json.loads(connection.getresponse().read())
        connection.close()
        assert [model["id"] for model in listed["data"]] == ["a", "b"]
        assert [request.json["n"] for request in upstream.chats] == [200, 503, 503]
        assert upstream.connections == 1


def test_it_sees_the_client_go() -> None:
    with Upstream() as upstream:
        upstream.script(Answer([b"data: 1\n\n"], end="hang"))
        connection = http.client.HTTPConnection("127.0.0.1", upstream.port)
        connection.request("POST", "/v1/chat/completions", "{}")
        answer = connection.getresponse()
        assert answer.read(9) == b"data: 1\n\n"
        assert upstream.hanging.wait(5)
        assert not upstream.disconnected.is_set()
        answer.close()
        connection.close()
        assert upstream.disconnected.wait(5)
