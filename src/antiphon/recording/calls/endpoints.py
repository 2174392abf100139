"""Calls of the endpoints for embeddings, completions and moderations.

They are handled as tool calls: the provider is the endpoint's path, which can't be the label of a tool, and
the tool is the model. Their recordings have llama-stack's form: a body, and its path.
"""

from collections.abc import Mapping

from antiphon.engine.ports import Endpoint
from antiphon.recording.calls.canonical import canonical_arguments, canonical_request
from antiphon.recording.calls.recorded import Address, Kind, RecordedCall
from antiphon.wire.json import JSON, JSONObject

KINDS: Mapping[str, Kind] = {
    "/v1/embeddings": "embedding",
    "/v1/completions": "completion",
    "/v1/moderations": "moderation",
}
"""Kinds of calls by the path of the endpoint."""
PATHS = {kind: path for path, kind in KINDS.items()}
"""Paths of the endpoints by the kind of their calls."""


def path_of(endpoint: Endpoint) -> str:
    """Return the path of an endpoint."""
    return f"/v1/{endpoint}"


def address_of(path: str, metadata: Mapping[str, JSON]) -> Address:
    """Return the address of a call."""
    return Address(url=f"https://api.openai.com{path}", endpoint=path, metadata=metadata)


def canonical_body(kind: Kind, body: JSONObject) -> JSONObject:
    """Return the canonical form of a request body.

    It is that of a chat request, with the defaults of these endpoints: a list of one text equals the text,
    and the encoding format `float` equals an absent one.
    """
    canonical = {name: canonical_arguments(value) for name, value in canonical_request(body).items()}
    for name in ("input", "prompt"):
        texts = canonical.get(name)
        if isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], str):
            canonical[name] = texts[0]
    if canonical.get("encoding_format") == "float":
        del canonical["encoding_format"]
    return {"endpoint": PATHS[kind], **canonical}


def is_for_vector_store(call: RecordedCall) -> bool:
    """Return whether a call has the form in which the server embeds files and queries."""
    body = call.request
    return (
        call.kind == "embedding"
        and isinstance(body.get("input"), list)
        and body.get("encoding_format") == "float"
    )
