"""`/v1/prompts`, and prompts in responses."""

import re

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, call, get, post
from tests.server.forms import uploaded
from tests.support.upstream import Upstream, chunk, sse

HELLO = sse(chunk("Hello."), chunk(finish="stop"))
PNG = "data:image/png;base64,iVBORw0KGgo="


def put(url: str, path: str, body: JSON) -> Reply:
    return call(url, "PUT", path, body)


def created(url: str, text: str, variables: list[str] | None = None) -> JSONObject:
    reply = post(url, "/prompts", {"prompt": text, "variables": variables})
    assert reply.status == 200, reply.body
    prompt: JSONObject = reply.json
    return prompt


def responded(url: str, prompt: JSONObject, **more: JSON) -> Reply:
    return post(url, "/responses", {"model": "m", "input": "Hi", "prompt": prompt, **more})


def messages(upstream: Upstream) -> JSON:
    return upstream.chats[-1].json["messages"]


def test_a_prompt_lives_through_its_versions(url: str) -> None:
    first = created(url, "You are a {{ role }}.", ["role"])
    prompt_id = first["prompt_id"]
    assert re.fullmatch("pmpt_[0-9a-f]{48}", prompt_id)
    assert first == {
        "prompt_id": prompt_id,
        "prompt": "You are a {{ role }}.",
        "version": 1,
        "variables": ["role"],
        "is_default": True,
    }
    path = f"/prompts/{prompt_id}"
    second = put(url, path, {"prompt": "Be kind.", "version": 1}).json
    assert (second["version"], second["variables"], second["is_default"]) == (2, [], True)
    third = post(url, path, {"prompt": "Be brief.", "version": 2, "set_as_default": False}).json
    assert (third["version"], third["is_default"]) == (3, False)
    assert get(url, path).json == second
    assert get(url, path + "?version=1").json == first | {"is_default": False}
    assert [each["version"] for each in get(url, path + "/versions").json["data"]] == [1, 2, 3]
    assert second in get(url, "/prompts").json["data"]
    assert put(url, path + "/set-default-version", {"version": 3}).json == third | {"is_default": True}
    assert get(url, path).json["version"] == 3
    gone = call(url, "DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    assert get(url, path).status == 404
    assert all(each["prompt_id"] != prompt_id for each in get(url, "/prompts").json["data"])


def test_variables_are_taken_from_the_text_if_none_are_declared(url: str) -> None:
    assert created(url, "{{ b }} {{a}} {{b}}")["variables"] == ["b", "a"]
    assert created(url, "Plain", ["spare"])["variables"] == ["spare"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": 1}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x", "variables": "a"}, "variables"),
        ({"prompt": "{{a}} {{b}}", "variables": ["a"]}, "variables"),
        ({"prompt": "x", "variables": ["a", "a"]}, "variables"),
        ({"prompt": "x", "variables": ["a b"]}, "variables"),
        ({"prompt": "x", "variables": [""]}, "variables"),
    ],
)
def test_a_prompt_that_is_none_is_refused(url: str, body: JSONObject, param: str) -> None:
    reply = post(url, "/prompts", body)
    assert (reply.status, reply.error["param"]) == (400, param)


def test_a_change_must_be_based_on_the_latest_version(url: str) -> None:
    path = f"/prompts/{created(url, 'One')['prompt_id']}"
    assert put(url, path, {"prompt": "Two", "version": 1}).status == 200
    late = put(url, path, {"prompt": "Three", "version": 1})
    assert (late.status, late.error["code"], late.error["param"]) == (400, "not_latest_version", "version")
    for version in (0, "1", None):
        reply = put(url, path, {"prompt": "Two", "version": version})
        assert (reply.status, reply.error["param"]) == (400, "version")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/prompts/pmpt_none", None),
        ("GET", "/prompts/pmpt_none/versions", None),
        ("DELETE", "/prompts/pmpt_none", None),
        ("PUT", "/prompts/pmpt_none", {"prompt": "x", "version": 1}),
        ("PUT", "/prompts/pmpt_none/set-default-version", {"version": 1}),
    ],
)
def test_an_unknown_prompt_is_not_found(url: str, method: str, path: str, body: JSON) -> None:
    reply = call(url, method, path, body)
    assert (reply.status, reply.error["message"][:33]) == (404, "Prompt with id 'pmpt_none' not fo"[:33]) or (
        "'pmpt_none' and version '1' not found" in reply.error["message"]
    )


def test_an_unknown_version_is_not_found(url: str) -> None:
    path = f"/prompts/{created(url, 'One')['prompt_id']}"
    assert get(url, path + "?version=2").status == 404
    assert put(url, path + "/set-default-version", {"version": 2}).status == 404
    for version in ("x", "-1", "1" * 10):
        reply = get(url, f"{path}?version={version}")
        assert (reply.status, reply.error["param"]) == (400, "version")


def test_a_response_has_the_fields_of_its_prompt(url: str, upstream: Upstream) -> None:
    prompt = created(url, "You are a {{ role }} {{ noun }}.")
    values = {"role": {"type": "input_text", "text": "helpful"}, "noun": "assistant"}
    upstream.script(HELLO)
    reply = responded(url, {"id": prompt["prompt_id"], "variables": values}, instructions="Be brief.")
    assert messages(upstream) == [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    shown = {"id": prompt["prompt_id"], "version": "1", "variables": values}
    assert reply.json["prompt"] == shown
    assert reply.json["instructions"] == "Be brief."
    assert get(url, f"/responses/{reply.json['id']}").json["prompt"] == shown


def test_the_next_turn_has_no_prompt_unless_it_names_one(url: str, upstream: Upstream) -> None:
    prompt = created(url, "Be kind.")
    upstream.script(HELLO)
    first = responded(url, {"id": prompt["prompt_id"]}).json
    post(url, "/responses", {"model": "m", "input": "More", "previous_response_id": first["id"]})
    assert [message["role"] for message in messages(upstream)] == ["user", "assistant", "user"]


def test_the_default_version_answers_unless_another_is_named(url: str, upstream: Upstream) -> None:
    prompt_id = created(url, "One")["prompt_id"]
    put(url, f"/prompts/{prompt_id}", {"prompt": "Two", "version": 1})
    upstream.script(HELLO)
    for version, text in ((None, "Two"), ("1", "One"), ("2", "Two")):
        reply = responded(url, {"id": prompt_id, "version": version})
        assert messages(upstream)[0]["content"] == text
        assert reply.json["prompt"]["version"] == ("2" if text == "Two" else "1")


def test_a_prompt_is_shown_in_every_event_of_a_stream(url: str, upstream: Upstream) -> None:
    prompt = created(url, "Be kind.")
    upstream.script(HELLO)
    events = responded(url, {"id": prompt["prompt_id"]}, stream=True).payloads
    shown = [event["response"]["prompt"]["id"] for event in events if "response" in event]
    assert shown == [prompt["prompt_id"]] * 3


def test_a_prompt_alone_is_enough(url: str, upstream: Upstream) -> None:
    prompt = created(url, "Tell a joke.")
    upstream.script(HELLO)
    reply = post(url, "/responses", {"model": "m", "prompt": {"id": prompt["prompt_id"]}})
    assert reply.status == 200
    assert messages(upstream) == [{"role": "system", "content": "Tell a joke."}]


def test_images_and_files_follow_as_a_message(url: str, upstream: Upstream) -> None:
    prompt = created(url, "Compare {{ photo }} with {{ notes }}.")
    file_id = uploaded(url, "Apples.")
    values = {
        "photo": {"type": "input_image", "image_url": PNG, "detail": "low"},
        "notes": {"type": "input_file", "file_id": file_id},
    }
    upstream.script(HELLO)
    reply = responded(url, {"id": prompt["prompt_id"], "variables": values})
    assert reply.status == 200, reply.body
    system, user, media = messages(upstream)
    assert system["content"] == "Compare [Image: photo] with [File: notes]."
    assert (user["content"], media["role"]) == ("Hi", "user")
    image, file = media["content"]
    assert image == {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}
    assert "Apples." in str(file) or "QXBwbGVzLg==" in str(file)
    assert reply.json["prompt"]["variables"] == values
    inputs = get(url, f"/responses/{reply.json['id']}/input_items").json["data"]
    assert [item["content"][0]["text"] for item in inputs] == ["Hi"]


@pytest.mark.parametrize(
    ("given", "status", "param"),
    [
        ({"variables": {"a": "1", "x": "2"}}, 400, "prompt.variables.x"),
        ({}, 400, "prompt.variables.a"),
        (
            {"variables": {"a": {"type": "input_file", "file_id": "file-0"}}},
            404,
            "prompt.variables.a.file_id",
        ),
        ({"variables": {"a": {"type": "input_image"}}}, 400, "prompt.variables.a"),
        ({"version": "2"}, 404, "prompt"),
        ({"version": "x"}, 404, "prompt"),
        ({"version": "9" * 30}, 404, "prompt"),
        ({"id": "pmpt_none"}, 404, "prompt"),
    ],
)
def test_errors_of_a_prompt_are_reported_before_the_model_is_called(
    url: str, upstream: Upstream, given: JSONObject, status: int, param: str
) -> None:
    prompt_id = created(url, "{{a}}")["prompt_id"]
    reply = responded(url, {"id": prompt_id, **given})
    assert (reply.status, reply.error["param"]) == (status, param)
    assert upstream.chats == []


@pytest.mark.parametrize("variables", [{"a": 1}, {"a": {"type": "input_audio"}}, [], "a"])
def test_values_of_other_kinds_are_refused(url: str, variables: JSON) -> None:
    reply = responded(url, {"id": "pmpt_1", "variables": variables})
    assert reply.status == 400
    assert reply.error["param"].startswith("prompt.variables")
