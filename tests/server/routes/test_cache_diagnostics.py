"""`prompt_cache_diagnostics`: a request compared with that of an earlier response."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.bad_bodies import USER, F, ask
from tests.server.client import get, post
from tests.server.faults import TEXT
from tests.support.upstream import Upstream, completion, reply

BEFORE: list[JSON] = [{"role": "developer", "content": "Be kind. " * 10}, USER]
AGAIN: JSONObject = {"role": "user", "content": "Again?"}


def asked(url: str, upstream: Upstream, earlier: str | None = None, **more: JSON) -> JSONObject:
    if "model" not in more:
        upstream.script(TEXT)
    given: JSONObject = {"input": BEFORE} | more
    if earlier is not None:
        given["prompt_cache_options"] = {"comparison_response_id": earlier}
    answer = post(url, "/responses", ask(**given))
    assert answer.status == 200, answer.body
    response: JSONObject = answer.json
    return response


def diagnosed(url: str, upstream: Upstream, earlier: str, **more: JSON) -> JSONObject:
    diagnostics: JSONObject = asked(url, upstream, earlier, **more)["prompt_cache_diagnostics"]
    return diagnostics


def test_a_request_that_begins_like_the_earlier_one_is_a_hit(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream)
    assert "prompt_cache_diagnostics" not in first
    hit = asked(url, upstream, first["id"], input=[*BEFORE, AGAIN])
    assert hit["prompt_cache_diagnostics"] == {"type": "cache_hit"}
    assert hit["prompt_cache_options"]["comparison_response_id"] == first["id"]
    assert get(url, f"/responses/{hit['id']}").json == hit
    chained = diagnosed(url, upstream, first["id"], input=[AGAIN], previous_response_id=first["id"])
    assert chained == {"type": "cache_hit"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"model": "antiphon/sample"}, "model_changed"),
        ({"prompt_cache_key": "k"}, "prompt_cache_key_changed"),
        ({"tools": [F]}, "tools_changed"),
        ({"text": {"format": {"type": "json_object"}}}, "text_format_changed"),
        ({"reasoning": {"effort": "low"}}, "reasoning_effort_changed"),
        ({"text": {"verbosity": "low"}}, "verbosity_changed"),
        ({"service_tier": "flex"}, "service_tier_changed"),
        ({"instructions": "Be brief."}, "input_changed"),
    ],
)
def test_another_setting_is_a_miss_of_everything(
    url: str, upstream: Upstream, more: JSONObject, reason: str
) -> None:
    first = asked(url, upstream)
    miss = diagnosed(url, upstream, first["id"], **more)
    assert (miss["type"], miss["reason"]) == ("cache_miss", reason)
    assert miss["cache_missed_tokens"] > 20
    assert miss["comparison_reusable_tokens"] == 0


def test_another_input_is_a_miss_from_its_place_on(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream)
    miss = diagnosed(url, upstream, first["id"], input=[BEFORE[0], AGAIN])
    assert (miss["type"], miss["reason"]) == ("cache_miss", "input_changed")
    assert miss["comparison_reusable_tokens"] > 20
    shorter = diagnosed(url, upstream, first["id"], input=[BEFORE[0]])
    assert (shorter["type"], shorter["cache_missed_tokens"]) == ("cache_miss", 0)


def test_a_compacted_context_is_named(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream, input=[BEFORE[0], {"role": "assistant", "content": "Hm."}, USER])
    upstream.script(reply(completion("A summary.")))
    compacted = post(url, "/responses/compact", ask(input=BEFORE)).json["output"]
    miss = diagnosed(url, upstream, first["id"], input=[*compacted, AGAIN])
    assert (miss["type"], miss["reason"]) == ("cache_miss", "context_compacted")


def test_a_response_that_is_not_stored_is_not_found(url: str, upstream: Upstream) -> None:
    unstored = asked(url, upstream, store=False)["id"]
    for earlier in (unstored, "resp_nope", ""):
        found = diagnosed(url, upstream, earlier)
        assert found == {"type": "comparison_response_not_found"}


def test_a_failed_response_cannot_be_compared(url: str, upstream: Upstream) -> None:
    upstream.script(reply({"error": {"message": "no"}}, status=400))
    failed = post(url, "/responses", ask(stream=True)).last
    assert failed["status"] == "failed"
    assert diagnosed(url, upstream, failed["id"]) == {"type": "unavailable"}
