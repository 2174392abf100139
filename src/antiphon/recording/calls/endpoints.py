"""Calls to other endpoints than that of chats: embeddings, completions of plain texts, moderations.

They go the way of tool calls: the endpoint's path, which no label can be, stands for the provider, and the
model for the tool. Recorded they are what they are at llama-stack: a body, and the path that it was sent to.
"""

from collections.abc import Mapping, Sequence

import msgspec

from antiphon.engine.ports import Endpoint
from antiphon.recording.calls.canonical import canonical_arguments, canonical_request
from antiphon.recording.calls.recorded import Address, Kind
from antiphon.wire.json import JSON, JSONObject

KINDS: Mapping[str, Kind] = {
    "/v1/embeddings": "embedding",
    "/v1/completions": "completion",
    "/v1/moderations": "moderation",
}
"""The kinds of calls by the endpoint's path."""
_PATHS = {kind: path for path, kind in KINDS.items()}


def path_of(endpoint: Endpoint) -> str:
    """Returns the path of an endpoint."""
    return f"/v1/{endpoint}"


def address_of(path: str, metadata: Mapping[str, JSON]) -> Address:
    """Returns where a call to an endpoint goes, as llama-stack's client for OpenAI sends it."""
    return Address(url=f"https://api.openai.com/v1{path}", endpoint=path, metadata=metadata)


def canonical_body(kind: Kind, body: JSONObject) -> JSONObject:
    """Returns the canonical form of a body: as that of a chat, with the defaults of these endpoints.

    One text and a list of it are the same, and so are floats that are asked for and those that come anyway.
    """
    canonical = {name: canonical_arguments(value) for name, value in canonical_request(body).items()}
    for name in ("input", "prompt"):
        texts = canonical.get(name)
        if isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], str):
            canonical[name] = texts[0]
    if canonical.get("encoding_format") == "float":
        del canonical["encoding_format"]
    return {"endpoint": _PATHS[kind], **canonical}


def join_chunks(chunks: Sequence[bytes]) -> JSONObject:
    """Returns the chunks of a completion of a plain text as one answer; raises `msgspec.DecodeError`."""
    decoded = [msgspec.json.decode(chunk, type=JSONObject) for chunk in chunks]
    whole: JSONObject = {}
    choices: dict[JSON, JSONObject] = {}
    for chunk in decoded:
        whole |= {name: value for name, value in chunk.items() if value is not None or name not in whole}
        for choice in chunk.get("choices") or ():
            known = choices.setdefault(choice.get("index"), {"text": ""})
            text = known["text"] + (choice.get("text") or "")
            known |= {name: value for name, value in choice.items() if value is not None or name not in known}
            known["text"] = text
    return {**whole, "choices": list(choices.values())}
