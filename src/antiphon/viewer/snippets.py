"""Stored responses as requests to copy: curl, Python, pytest."""

import re
from collections.abc import Sequence
from pprint import pformat

import msgspec
from msgspec import Struct

from antiphon.wire.content import InputText, OutputText
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse, Response

_WIDTH = 100
_EMPTY: tuple[JSON, ...] = (None, [], {}, "")
_EXTRA = frozenset({"presence_penalty", "frequency_penalty"})
"""Parameters that OpenAI's client takes in `extra_body` only."""
_DEFAULTS: JSONObject = {
    "background": False,
    "store": True,
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "truncation": "disabled",
    "service_tier": "auto",
}
"""Values that a request need not name."""
_DEFAULT_PARTS: JSONObject = {
    "text": ({"format": {"type": "text"}}, {"format": {"type": "text"}, "verbosity": "medium"}),
    "reasoning": ({"effort": None, "summary": None},),
}


class Snippets(Struct, frozen=True):
    """One request in several languages."""

    curl: str
    python: str
    pytest: str


def request_body(response: Response, given: Sequence[Item]) -> JSONObject:
    """Return the request that a stored response answers, without fields that have their default.

    Args:
        response: The response.
        given: Its input.
    """
    echoed: JSONObject = msgspec.to_builtins(response)
    body: JSONObject = {"model": response.model, "input": _input(given)}
    for name in CreateResponse.__struct_fields__:
        value = echoed.get(name)
        if name in body or value in _EMPTY or value == _DEFAULTS.get(name):
            continue
        kept = _without_none(value)
        if kept not in _EMPTY and kept not in _DEFAULT_PARTS.get(name, ()):
            body[name] = kept
    return body


def snippets(response: Response, given: Sequence[Item], base_url: str) -> Snippets:
    """Return the request of a response in several languages.

    Args:
        response: The response.
        given: Its input.
        base_url: The base URL of this server.
    """
    body = request_body(response, given)
    return Snippets(_curl(body, base_url), _python(body, base_url), _pytest(body, response))


def _input(given: Sequence[Item]) -> JSON:
    if len(given) == 1 and isinstance(given[0], Message) and given[0].role == "user":
        content = given[0].content
        if len(content) == 1 and isinstance(content[0], InputText):
            return content[0].text
    return [_without_id(_without_none(msgspec.to_builtins(item))) for item in given]


def _without_id(item: JSONObject) -> JSONObject:
    omitted = ("id", "status") if item.get("type") == "message" else ("id",)
    return {name: value for name, value in item.items() if name not in omitted}


def _without_none(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _without_none(each) for name, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


def _curl(body: JSONObject, base_url: str) -> str:
    # No line of the JSON is the mark, because its lines begin with spaces or brackets.
    text = msgspec.json.format(msgspec.json.encode(body), indent=2).decode()
    return (
        f"curl {base_url}/responses \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-binary @- <<'REQUEST'\n{text}\nREQUEST"
    )


def _python(body: JSONObject, base_url: str) -> str:
    return (
        "from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={base_url!r})\n"
        f"response = client.responses.create({_arguments(body, '')})\n"
        "print(response.output_text)"
    )


def _pytest(body: JSONObject, response: Response) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", _text_of(body["input"]).lower()).strip("_")[:40].strip("_")
    text = "".join(
        part.text
        for item in response.output
        if isinstance(item, Message)
        for part in item.content
        if isinstance(part, OutputText)
    )
    lines = [
        f"def test_{name or 'response'}(antiphon_client):",
        f"    response = antiphon_client.responses.create({_arguments(body, '    ')})",
        f"    assert response.status == {response.status!r}",
    ]
    if text:
        lines.append(f"    assert response.output_text == {_literal(text, '    ')}")
    return "\n".join(lines)


def _arguments(body: JSONObject, indent: str) -> str:
    """Return a request as keyword arguments, one per line."""
    extra = {name: value for name, value in body.items() if name in _EXTRA}
    given = {name: value for name, value in body.items() if name not in _EXTRA}
    if extra:
        given["extra_body"] = extra
    inner = f"{indent}    "
    lines = [f"{inner}{name}={_literal(value, inner)},\n" for name, value in given.items()]
    return f"\n{''.join(lines)}{indent}"


def _literal(value: JSON, indent: str) -> str:
    """Return a JSON value as Python, whose further lines are indented."""
    if isinstance(value, str):
        return repr(value)
    return pformat(value, width=_WIDTH, sort_dicts=False).replace("\n", f"\n{indent}")


def _text_of(given: JSON) -> str:
    return given if isinstance(given, str) else ""
