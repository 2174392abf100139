"""A whole chat completion has the same result as its chunks: items, usage, hosted calls, failure."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.reply.citations import Sources
from antiphon.engine.reply.links import url_key
from antiphon.engine.reply.tool_calls import KnownTools
from antiphon.wire.json import JSON, JSONObject
from tests.engine.replies import PLAIN, Reply, raw

FED = "https://www.fed.gov/rates.htm"
OPTIONS = [
    PLAIN,
    AssemblyOptions(source="backend/model", think_tags=True, logprobs=True),
    AssemblyOptions(source="backend/model", think_tags=True, encrypted_reasoning=True),
    AssemblyOptions(
        source="backend/model",
        logprobs=True,
        sources=Sources({str(url_key(FED)): "Rates"}, {"file-1": "one.txt"}),
    ),
    AssemblyOptions(source="backend/model", tools=KnownTools(hosted={"search"}, custom={"patch": None})),
    AssemblyOptions(source="backend/model", tools=KnownTools(custom={"patch": None}), input_of="patch"),
]
TOKENS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "a", "b c", "\n", "ß", " <|file-1|>", f"([fed]({FED}))"]),
    max_size=6,
)
ARGUMENTS = st.sampled_from(
    ["{}", "", '{"a": 1}', '{"a": {"b": "}"}}', '{"input": "x\\ny"}', '{"cut', "no json"]
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["f", "g", "search", "patch", ""]), "arguments": ARGUMENTS},
        optional={"id": st.sampled_from(["call_1", "call_2", ""])},
    ),
    max_size=3,
)
DETAIL = st.sampled_from(
    [
        {"type": "reasoning.text", "text": "Hm.", "signature": "s"},
        {"type": "reasoning.summary", "summary": "Thought.", "index": 1},
        {"type": "reasoning.encrypted", "data": "xyz"},
    ]
)


class Said(msgspec.Struct, frozen=True):
    """Reply, before it is written in one of the two forms."""

    tokens: Sequence[str] = ()
    calls: Sequence[JSONObject] = ()
    reasoning: JSONObject = {}
    refusal: str = ""
    is_custom: bool = False
    """Whether the calls have the form of custom tool calls."""
    finish: str | None = "stop"
    rest: JSONObject = {}


REASONING = st.one_of(
    st.just({}),
    st.builds(lambda key, text: {key: text}, st.sampled_from(["reasoning", "reasoning_content"]), st.text()),
    st.builds(lambda details: {"reasoning_details": details}, st.lists(DETAIL, max_size=2)),
)
REST = st.fixed_dictionaries(
    {},
    optional={
        "service_tier": st.sampled_from(["default", "priority", None]),
        "usage": st.sampled_from(
            [
                None,
                {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
                {
                    "prompt_tokens": 3,
                    "completion_tokens": 4,
                    "prompt_tokens_details": {"cached_tokens": 2},
                    "completion_tokens_details": {"reasoning_tokens": 1},
                },
            ]
        ),
    },
)
FINISH = st.sampled_from(["stop", "tool_calls", "length", "content_filter", "error", None])
SAID = st.builds(Said, TOKENS, CALLS, REASONING, st.sampled_from(["", "No."]), st.booleans(), FINISH, REST)


def logprob(token: str) -> JSONObject:
    return {"token": token, "logprob": -0.5}


def written_call(said: Said, call: JSONObject) -> JSONObject:
    """Return a call of a function, or of a custom tool with the arguments as its input."""
    entry: JSONObject = {"id": call["id"]} if "id" in call else {}
    if said.is_custom:
        return entry | {"type": "custom", "custom": {"name": call["name"], "input": call["arguments"]}}
    return entry | {"type": "function", "function": {key: call[key] for key in ("name", "arguments")}}


def whole(said: Said) -> list[bytes]:
    """Return the reply as one completion, with the nulls that backends write."""
    message: JSONObject = {
        "role": "assistant",
        "content": "".join(said.tokens) or None,
        "refusal": said.refusal or None,
        "tool_calls": [written_call(said, call) for call in said.calls] or None,
        **said.reasoning,
    }
    logprobs = {"content": [logprob(token) for token in said.tokens], "refusal": None}
    choice: JSONObject = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": said.finish}
    return [raw({"object": "chat.completion", "choices": [choice], **said.rest})]


def streamed(said: Said) -> list[bytes]:
    """Return the reply token by token; calls have indexes, and their arguments come in two pieces."""
    choices: list[JSONObject] = [{"delta": {"role": "assistant", "content": ""}}]
    choices += [{"delta": {key: [each]}} for key, value in said.reasoning.items() for each in value]
    for token in said.tokens:
        choices.append({"delta": {"content": token}, "logprobs": {"content": [logprob(token)]}})
    if said.refusal:
        choices.append({"delta": {"refusal": said.refusal}})
    for index, call in enumerate(said.calls):
        key, name = ("input", "custom") if said.is_custom else ("arguments", "function")
        head = written_call(said, call) | {"index": index}
        head[name][key] = call["arguments"][:1]
        choices.append({"delta": {"tool_calls": [head]}})
        if rest := call["arguments"][1:]:
            choices.append({"delta": {"tool_calls": [{"index": index, name: {key: rest}}]}})
    choices.append({"delta": {}, "finish_reason": said.finish})
    chunks = [_text_of_reasoning({"index": 0, "finish_reason": None} | choice) for choice in choices]
    last = {"choices": [], **said.rest}
    return [*(raw({"choices": [choice]}) for choice in chunks), raw(last)]


def _text_of_reasoning(choice: JSONObject) -> JSONObject:
    """Join the characters of reasoning text, which isn't a list."""
    for key in ("reasoning", "reasoning_content"):
        if isinstance(choice["delta"].get(key), list):
            choice["delta"][key] = "".join(choice["delta"][key])
    return choice


def outcome(chunks: list[bytes], options: AssemblyOptions) -> JSON:
    """Return the whole result of a reply, without ids, because the two forms use them up differently."""
    reply = Reply([chunks], options)
    assembler = reply.assembler
    return {
        "items": [without_ids(item) for item in reply.items],
        "failure": None if reply.failure is None else (type(reply.failure), reply.failure.message),
        "usage": assembler.usage,
        "service_tier": assembler.service_tier,
        "hosted": assembler.hosted_calls,
        "finish_reason": assembler.finish_reason,
    }


def without_ids(item: JSONObject) -> JSONObject:
    """Return the item without its own id, and without the id that the assembler gave to a call."""
    kept = {key: value for key, value in item.items() if key != "id"}
    if kept.get("call_id") not in ("call_1", "call_2"):
        kept.pop("call_id", None)
    return kept


@pytest.mark.parametrize("options", OPTIONS)
@example(Said(calls=[{"name": "f", "arguments": ""}, {"name": "f", "arguments": ""}], finish="tool_calls"))
@example(
    Said(calls=[{"name": "f", "arguments": '{"cut'}, {"name": "f", "arguments": "{}"}], finish="tool_calls")
)
@given(SAID)
def test_a_whole_completion_gives_what_its_chunks_give(options: AssemblyOptions, said: Said) -> None:
    if options.input_of is not None:
        said = msgspec.structs.replace(said, calls=[])  # Without tools in the request.
    assert outcome(whole(said), options) == outcome(streamed(said), options)


def test_every_call_of_a_whole_message_is_one_of_its_own() -> None:
    """The calls have one id, and arguments that would continue a call in a stream."""
    calls = [
        {"id": "call_x", "type": "function", "function": {"name": "f", "arguments": arguments}}
        for arguments in ('{"cut', "", "{}")
    ]
    choice = {"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    reply = Reply([[raw({"choices": [choice]})]])
    assert [arguments for _, _, arguments in reply.calls()] == ['{"cut', "", "{}"]
    assert len({call_id for call_id, _, _ in reply.calls()}) == 3


@pytest.mark.parametrize("end", [{}, {"finish_reason": None}])
def test_a_whole_message_that_does_not_say_how_it_ended_is_broken(end: JSONObject) -> None:
    """The reply fails like a stream without a finish_reason, because the model may have been cut off."""
    reply = Reply([[raw({"choices": [{"message": {"content": "Hello"}, **end}]})]])
    assert reply.failure is not None
    assert reply.failure.message == "backend/model: the reply ended without a finish_reason"
    assert reply.texts() == ["Hello"]
