"""Canonical keys: requests with the same meaning share a key, and all others don't."""

import copy
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON, JSONObject
from tests.recording import rewrites
from tests.recording.samples import calls_in, chat_request, recordings

texts = st.text(min_size=1, max_size=12)
names = st.sampled_from(["city", "unit", "query"])
scalars = st.one_of(texts, st.integers(-9, 9), st.booleans())
schemas = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(names, st.just({"type": "string"}), max_size=2)}
)
images = st.fixed_dictionaries(
    {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": texts})}
)
text_parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts})
arguments = st.dictionaries(names, scalars, max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)


@st.composite
def turns(draw: st.DrawFn, turn: int) -> list[JSONObject]:
    """Return one turn: a message of the user or the model, or tool calls with their results."""
    kind = draw(st.sampled_from(["user", "parts", "assistant", "calls"]))
    if kind == "parts":
        parts = draw(st.lists(st.one_of(text_parts, images), min_size=1, max_size=3))
        return [{"role": "user", "content": parts}]
    if kind != "calls":
        return [{"role": kind, "content": draw(texts)}]
    calls = [
        {
            "id": f"call-{turn}-{position}",
            "type": "function",
            "function": {"name": draw(names), "arguments": draw(arguments)},
        }
        for position in range(draw(st.integers(1, 3)))
    ]
    said = {"content": draw(texts)} if draw(st.booleans()) else {}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": draw(texts)} for call in calls]
    return [{"role": "assistant", **said, "tool_calls": calls}, *results]


@st.composite
def requests(draw: st.DrawFn) -> JSONObject:
    messages = [message for turn in range(draw(st.integers(1, 4))) for message in draw(turns(turn))]
    functions = draw(
        st.lists(
            st.fixed_dictionaries({"name": names, "description": texts, "parameters": schemas}), max_size=2
        )
    )
    response_format = st.fixed_dictionaries(
        {
            "type": st.just("json_schema"),
            "json_schema": st.fixed_dictionaries({"name": names, "schema": schemas}),
        }
    )
    options = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.sampled_from([0, 1, 0.5]),
                "top_p": st.sampled_from([1, 0.9]),
                "seed": st.integers(0, 9),
                "max_completion_tokens": st.integers(1, 99),
                "tool_choice": st.sampled_from(["none", "required"]),
                "parallel_tool_calls": st.just(False),
                "response_format": response_format,
            },
        )
    )
    tools = (
        {"tools": [{"type": "function", "function": function} for function in functions]} if functions else {}
    )
    return {"model": draw(texts), "messages": messages, **tools, **options}


def key(body: JSONObject) -> str:
    return canonical_key(canonical_request(body))


@given(requests())
def test_each_harmless_rewrite_keeps_the_key(body: JSONObject) -> None:
    kept = key(body)
    assert [rewrite.__name__ for rewrite in rewrites.REWRITES if key(rewrite(body)) != kept] == []


@given(requests(), st.permutations(rewrites.REWRITES))
def test_rewrites_in_any_order_keep_the_key(body: JSONObject, order: list[rewrites.Rewrite]) -> None:
    rewritten = body
    for rewrite in order:
        rewritten = rewrite(rewritten)
    assert key(rewritten) == key(body)


@given(requests())
def test_the_body_is_left_as_it_is(body: JSONObject) -> None:
    before = copy.deepcopy(body)
    canonical_request(body)
    assert body == before


@given(requests())
def test_a_canonical_request_is_its_own_canonical_form(body: JSONObject) -> None:
    canonical = canonical_request(body)
    assert canonical_request(canonical) == canonical


def places(value: JSON, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of all values that matter by themselves; call ids matter only by their order."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name not in ("id", "tool_call_id"):
                yield from places(member, (*path, name))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from places(member, (*path, position))
    else:
        yield path


def changed(value: JSON, position: int) -> JSON:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        if not value:
            return "x"
        position %= len(value)
        return value[:position] + ("y" if value[position] == "x" else "x") + value[position + 1 :]
    return value + 0.25


@given(requests(), st.data())
def test_one_changed_character_or_number_is_another_key(body: JSONObject, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(places(body))))
    edited = copy.deepcopy(body)
    target: JSON = edited
    for step in path[:-1]:
        target = target[step]
    # A request with the default has the key of a request without this option.
    if path == ("parallel_tool_calls",):
        return
    target[path[-1]] = changed(target[path[-1]], data.draw(st.integers(0, 99)))
    assert key(edited) != key(body)


@given(requests(), st.data())
def test_a_missing_message_tool_or_option_is_another_key(body: JSONObject, data: st.DataObject) -> None:
    edited = copy.deepcopy(body)
    lists = [name for name in ("messages", "tools") if name in edited]
    options = [name for name in edited if name not in lists]
    name = data.draw(st.sampled_from([*lists, *options]))
    if name in options:
        del edited[name]
    else:
        edited[name].pop(data.draw(st.integers(0, len(edited[name]) - 1)))
    assert key(edited) != key(body)


def call(call_id: str, name: str = "look", text: str = "{}") -> JSONObject:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def result(call_id: str, text: str) -> JSONObject:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def conversation(*messages: JSONObject) -> JSONObject:
    return {"model": "small", "messages": [{"role": "user", "content": "Go"}, *messages]}


def test_results_that_change_places_are_another_request() -> None:
    asked = {"role": "assistant", "tool_calls": [call("a", "first"), call("b", "second")]}
    straight = conversation(asked, result("a", "one"), result("b", "two"))
    crossed = conversation(asked, result("b", "one"), result("a", "two"))
    assert key(straight) != key(crossed)
    assert key(straight) == key(conversation(asked, result("b", "two"), result("a", "one")))


def test_ids_that_a_backend_uses_twice_still_pair_calls_with_results() -> None:
    def with_ids(first: str, second: str) -> JSONObject:
        return conversation(
            {"role": "assistant", "tool_calls": [call(first)]},
            result(first, "one"),
            {"role": "assistant", "tool_calls": [call(second)]},
            result(second, "two"),
        )

    assert key(with_ids("call_0", "call_0")) == key(with_ids("call_0", "call_1"))


def test_a_result_without_its_call_is_another_request() -> None:
    asked = {"role": "assistant", "tool_calls": [call("a")]}
    assert key(conversation(asked, result("a", "one"))) != key(conversation(asked, result("z", "one")))


def test_text_between_two_calls_keeps_them_apart() -> None:
    together = conversation({"role": "assistant", "tool_calls": [call("a"), call("b")]})
    apart = conversation(
        {"role": "assistant", "tool_calls": [call("a")]},
        {"role": "assistant", "content": "And now", "tool_calls": [call("b")]},
    )
    assert key(together) != key(apart)


def test_broken_arguments_count_as_text() -> None:
    broken = conversation({"role": "assistant", "tool_calls": [call("a", text='{"city": ')]})
    spaced = conversation({"role": "assistant", "tool_calls": [call("a", text='{"city":  ')]})
    assert key(broken) != key(spaced)


def test_empty_parameters_are_absent_ones() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    empty = {"type": "function", "function": {"name": "f", "parameters": {}}}
    typed = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    plain = conversation()
    assert key(plain | {"tools": [tool]}) == key(plain | {"tools": [empty]})
    assert key(plain | {"tools": [tool]}) != key(plain | {"tools": [typed]})


def test_a_breakpoint_of_the_prompt_cache_means_nothing() -> None:
    text = {"type": "text", "text": "Go"}
    marked = text | {"prompt_cache_breakpoint": {"mode": "explicit"}}
    request = {"model": "small", "messages": [{"role": "user", "content": [marked]}]}
    assert key(request) == key(conversation())


def test_true_is_not_one() -> None:
    assert key(chat_request(parallel_tool_calls=1)) != key(chat_request(parallel_tool_calls=True))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["role", "content", "tool_calls", "function", "type", "text", "id", "arguments"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_value_breaks_it(value: JSON) -> None:
    for name in ("messages", "tools", "response_format", "extra_body", "tool_choice", "max_tokens"):
        assert len(key({"model": "small", name: value})) == 64
        assert len(key({"model": "small", name: [value]})) == 64


@pytest.fixture(scope="module")
def chats() -> list[RecordedCall]:
    found = [call for call in calls_in(recordings("llama-stack")) if call.kind == "chat"]
    assert found
    return found


@pytest.mark.shared
@pytest.mark.parametrize("rewrite", rewrites.REWRITES)
def test_rewritten_real_requests_keep_their_keys(
    rewrite: rewrites.Rewrite, chats: list[RecordedCall]
) -> None:
    assert [call.name for call in chats if key(rewrite(call.request)) != call.key] == []


@pytest.mark.shared
def test_changed_real_requests_lose_their_keys(chats: list[RecordedCall]) -> None:
    known = {call.key for call in chats}
    for body in [call.request for call in chats]:
        last = {**body["messages"][-1], "content": f"{body['messages'][-1]['content']}."}
        assert key({**body, "messages": [*body["messages"][:-1], last]}) not in known
        assert key({**body, "temperature": 0.123}) not in known
        assert key({**body, "model": "another"}) not in known
