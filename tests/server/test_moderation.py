"""Moderation of responses, chat completions and single texts, by checks of the settings and by backends."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import openai
import pytest

from antiphon.backends.catalogue import Models
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.settings.moderation import CheckSettings, ModerationSettings
from antiphon.settings.schema import Settings
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import get, post
from tests.support.serving import Serving, backend, backends, recordings
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, sse

CHECKS = {
    "words": CheckSettings(kind="words", words=("darn",), category="rude"),
    "judge": CheckSettings(kind="policy", model="up/guard", policy="Flag insults."),
    "omni": CheckSettings(kind="endpoint", model="up/mod"),
}
BLOCK: JSONObject = {"input": {"mode": "block"}, "output": {"mode": "block"}}
FLAGGED: JSONObject = {
    "id": "modr-1",
    "model": "mod",
    "results": [
        {
            "flagged": True,
            "categories": {"hate": True, "illicit": None},
            "category_scores": {"hate": 0.9},
            "category_applied_input_types": {"hate": ["text"]},
        }
    ],
}


@pytest.fixture(scope="module", params=["hold", "cut"])
def shared(
    request: pytest.FixtureRequest, shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("m") / "state.db", backends(backend(shared_upstream)))
    serving.moderation = ModerationSettings(streams=request.param, cut_after=5, checks=CHECKS)
    with serving:
        assert get(serving.url, "/models").status == 200
        yield serving


@pytest.fixture
def url(shared: Serving, upstream: Upstream) -> str:
    return shared.url


def ask(check: str = "words", policy: JSON = None, **more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi", "moderation": {"model": check, "policy": policy}, **more}


def whole(text: str) -> Answer:
    """Return a complete reply as api.openai.com sends it."""
    body = completion(text, refusal=None)
    body["choices"][0]["logprobs"] = None
    return reply(body)


def says(*texts: str) -> Answer:
    return sse(*map(chunk, texts), chunk(finish="stop"))


def test_a_response_shows_the_scores_of_both_sides(url: str, upstream: Upstream) -> None:
    upstream.script(says("Well, darn."))
    answer = post(url, "/responses", ask()).json
    assert (answer["status"], answer["output"][0]["content"][0]["text"]) == ("completed", "Well, darn.")
    moderation = answer["moderation"]
    assert (moderation["input"]["flagged"], moderation["output"]["flagged"]) == (False, True)
    assert moderation["output"]["categories"]["rude"] is True
    assert get(url, f"/responses/{answer['id']}").json["moderation"] == moderation


def test_flagged_output_is_kept_from_the_client_and_the_database(url: str, upstream: Upstream) -> None:
    upstream.script(says("Well, ", "da", "rn it."))
    answer = post(url, "/responses", ask(policy=BLOCK)).json
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert answer["moderation"]["output"]["flagged"] is True
    stored = get(url, f"/responses/{answer['id']}")
    assert "darn" not in stored.body.decode()
    assert stored.json["moderation"] == answer["moderation"]


def test_a_stream_ends_with_content_filter_and_never_shows_flagged_text(url: str, upstream: Upstream) -> None:
    upstream.script(says("Well, all", " is fine, ", "da", "rn it."))
    streamed = post(url, "/responses", ask(policy=BLOCK, stream=True))
    assert "darn" not in streamed.body.decode().replace('","', "")
    deltas = [each["delta"] for each in streamed.payloads if each["type"] == "response.output_text.delta"]
    assert "da" not in "".join(deltas)
    assert streamed.payloads[-1]["type"] == "response.incomplete"
    assert streamed.last["incomplete_details"] == {"reason": "content_filter"}
    assert streamed.last["moderation"]["output"]["flagged"] is True


def test_flagged_input_does_not_reach_the_model(url: str, upstream: Upstream) -> None:
    answer = post(url, "/responses", ask(policy=BLOCK, input="Darn!")).json
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert (answer["output"], upstream.requests) == ([], [])
    assert answer["moderation"]["input"]["flagged"] is True
    assert answer["moderation"]["output"]["code"] == "not_judged"


def test_outputs_of_tools_are_input_too(url: str, upstream: Upstream) -> None:
    items: JSON = [
        {"role": "user", "content": "Look it up."},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "Darn."},
    ]
    answer = post(url, "/responses", ask(policy=BLOCK, input=items)).json
    assert answer["incomplete_details"] == {"reason": "content_filter"}
    assert upstream.requests == []


@pytest.mark.parametrize("verdict", ['{"flagged": true, "categories": ["insult"]}', "unsafe\ninsult"])
def test_a_chat_model_with_a_policy_judges(url: str, upstream: Upstream, verdict: str) -> None:
    upstream.script(reply(completion(verdict)))
    answer = post(url, "/responses", ask("judge", {"input": {"mode": "block"}}, input="You fool!")).json
    assert answer["moderation"]["input"]["categories"]["insult"] is True
    asked = upstream.requests[-1].json
    assert (asked["model"], asked["messages"][0]["role"]) == ("guard", "system")
    assert asked["messages"][0]["content"].startswith("Flag insults.")
    assert asked["messages"][1] == {"role": "user", "content": "You fool!"}


def test_a_moderation_model_of_a_backend_judges(url: str, upstream: Upstream) -> None:
    for check in ("omni", "up/mod"):
        upstream.script(reply(FLAGGED))
        answer = post(url, "/responses", ask(check, BLOCK)).json
        assert answer["moderation"]["input"]["category_scores"] == {"hate": 0.9}
        assert answer["moderation"]["input"]["categories"] == {"hate": True, "illicit": False}
        assert (upstream.requests[-1].path, upstream.requests[-1].json["input"]) == ("/v1/moderations", "Hi")


def test_images_are_judged_with_the_texts(url: str, upstream: Upstream) -> None:
    image = "data:image/png;base64,iVBORw0KGgo="
    content: JSON = [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": image}]
    upstream.script(reply(FLAGGED))
    post(url, "/responses", ask("omni", BLOCK, input=[{"role": "user", "content": content}]))
    assert upstream.requests[-1].json["input"] == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": image}},
    ]


def test_a_broken_check_fails_a_blocking_request_and_only_annotates_a_scoring_one(
    url: str, upstream: Upstream
) -> None:
    upstream.script(reply({"error": {"message": "down"}}, status=500))
    failed = post(url, "/responses", ask("omni", BLOCK))
    assert failed.status >= 500
    assert [each.path for each in upstream.requests] == ["/v1/moderations"]
    upstream.script(says("Hello."), reply({"results": []}), reply({"results": []}))
    scored = post(url, "/responses", ask("omni")).json
    assert scored["status"] == "completed"
    assert {scored["moderation"][side]["type"] for side in ("input", "output")} == {"error"}


def test_guardrails_of_llama_stack_name_checks_and_block(url: str, upstream: Upstream) -> None:
    for guardrails in (["words"], [{"type": "words"}]):
        body: JSONObject = {"model": "up/m", "input": "Darn!", "guardrails": guardrails}
        answer = post(url, "/responses", body)
        assert "x-antiphon-ignored" not in answer.headers
        assert answer.json["incomplete_details"] == {"reason": "content_filter"}
    assert upstream.requests == []
    unknown = post(url, "/responses", {"model": "up/m", "input": "Hi", "guardrails": ["llama-guard"]})
    assert (unknown.status, unknown.error["code"]) == (400, "unknown_check")
    assert unknown.error["param"] == "guardrails[0]"
    assert "words, judge, omni" in unknown.error["message"]


@pytest.mark.parametrize(
    ("moderation", "param"),
    [
        ("words", "moderation"),
        ({"policy": BLOCK}, "moderation.model"),
        ({"model": "words", "policy": {"input": {"mode": "hide"}}}, "moderation.policy.input.mode"),
    ],
)
def test_a_wrong_moderation_is_a_400(url: str, moderation: JSON, param: str) -> None:
    answer = post(url, "/responses", {"model": "up/m", "input": "Hi", "moderation": moderation})
    assert (answer.status, answer.error["param"]) == (400, param)
    chat: JSONObject = {
        "model": "up/m",
        "messages": [{"role": "user", "content": "Hi"}],
        "moderation": moderation,
    }
    refused = post(url, "/chat/completions", chat)
    assert (refused.status, refused.error["param"]) == (400, "moderation")


@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
def test_an_unknown_check_protects_nothing_so_it_is_an_error(url: str, upstream: Upstream, path: str) -> None:
    given = {"input": "Hi"} if path == "/responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    body: JSONObject = {"model": "up/m", **given, "moderation": {"model": "wrods"}}
    answer = post(url, path, body)
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert answer.error["param"] == "moderation.model"
    assert upstream.chats == []


def test_openais_client_reads_the_results_with_strict_validation(url: str, upstream: Upstream) -> None:
    with openai.OpenAI(
        base_url=url, api_key="none", _strict_response_validation=True, max_retries=0
    ) as client:
        upstream.script(says("Darn."))
        response = client.responses.create(model="up/m", input="Hi", moderation={"model": "words"})
        assert response.moderation is not None
        assert response.moderation.output.type == "moderation_result"
        upstream.script(whole("Darn."))
        chat = client.chat.completions.create(
            model="up/m", messages=[{"role": "user", "content": "Hi"}], moderation={"model": "words"}
        )
        assert chat.moderation is not None
        assert chat.moderation.output.type == "moderation_results"
        assert chat.moderation.output.results[0].flagged is True
        alone = client.moderations.create(model="words", input=["Hi", "Darn!"])
        assert [each.flagged for each in alone.results] == [False, True]
        assert alone.results[1].categories.hate is False


def test_chat_completions_are_blocked_in_both_forms(url: str, upstream: Upstream) -> None:
    messages: JSON = [
        {"role": "system", "content": "Never say darn."},
        {"role": "user", "content": "Hi"},
    ]
    body: JSONObject = {
        "model": "up/m",
        "messages": messages,
        "moderation": {"model": "words", "policy": BLOCK},
    }
    upstream.script(whole("Darn."))
    given = post(url, "/chat/completions", body).json
    assert given["choices"][0]["finish_reason"] == "content_filter"
    assert given["moderation"]["output"]["results"][0]["flagged"] is True
    assert "moderation" not in upstream.requests[-1].json
    upstream.script(says("Fine so far, ", "darn."))
    streamed = post(url, "/chat/completions", {**body, "stream": True})
    assert "darn" not in streamed.body.decode().split('"moderation"')[0]
    assert streamed.payloads[-2]["choices"][0]["finish_reason"] == "content_filter"
    assert streamed.payloads[-1]["moderation"]["output"]["results"][0]["flagged"] is True
    upstream.requests.clear()
    said = post(url, "/chat/completions", {**body, "messages": [{"role": "user", "content": "Darn"}]}).json
    assert (said["choices"][0]["finish_reason"], upstream.requests) == ("content_filter", [])


def test_a_text_alone_is_judged_by_a_check(url: str, upstream: Upstream) -> None:
    answer = post(url, "/moderations", {"model": "words", "input": "Darn!"})
    assert answer.status == 200
    assert (answer.json["model"], answer.json["results"][0]["flagged"]) == ("words", True)
    assert answer.json["id"].startswith("modr_")
    parts: JSON = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "darn"}]
    assert [
        each["flagged"]
        for each in post(url, "/moderations", {"model": "words", "input": parts}).json["results"]
    ] == [True]
    wrong = post(url, "/moderations", {"model": "words", "input": [{"type": "audio"}]})
    assert (wrong.status, wrong.error["param"]) == (400, "input[0]")


def test_a_follow_up_is_judged_by_its_own_input(url: str, upstream: Upstream) -> None:
    upstream.script(says("Fine."))
    first = post(url, "/responses", {"model": "up/m", "input": "Darn!"}).json
    upstream.script(says("Fine."))
    follow = post(url, "/responses", ask(policy=BLOCK, previous_response_id=first["id"])).json
    assert follow["status"] == "completed"


def test_a_replayed_run_is_judged_again_by_the_recorded_check(tmp_path: Path, upstream: Upstream) -> None:
    folder = tmp_path / "recordings"
    settings = Settings(database=":memory:", discover=False, models={"up": backend(upstream)})

    async def recording() -> RecordingCatalogue:
        models = await Models.open(settings)
        return RecordingCatalogue(models, RecordingLookup(Collection(folder)), "record", Faults())

    served = Serving(":memory:", recording)
    served.moderation = ModerationSettings(checks=CHECKS)
    upstream.script(reply(FLAGGED))
    with served:
        first = post(served.url, "/responses", ask("omni", BLOCK)).json
    replayed = Serving(":memory:", recordings(folder))
    replayed.moderation = ModerationSettings(checks=CHECKS)
    upstream.requests.clear()
    with replayed:
        second = post(replayed.url, "/responses", ask("omni", BLOCK)).json
    assert second["moderation"] == first["moderation"]
    assert upstream.requests == []
    assert msgspec.json.encode(second["incomplete_details"]) == b'{"reason":"content_filter"}'
