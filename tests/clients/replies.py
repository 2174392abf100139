"""Short forms of scripted replies."""

import json

from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Answer, chunk, sse

USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def says(*pieces: str) -> Answer:
    """Return a text, streamed in pieces."""
    return sse(*(chunk(piece) for piece in pieces), chunk(finish="stop"), chunk(usage=USAGE))


def says_json(value: JSON) -> Answer:
    """Return a JSON text in two pieces."""
    text = json.dumps(value)
    return says(text[:5], text[5:])


def calls(*functions: tuple[str, str, JSON]) -> Answer:
    """Return parallel function calls, each given as call id, name and arguments."""
    deltas: list[JSONObject] = []
    for index, (call_id, name, arguments) in enumerate(functions):
        opening = {"name": name, "arguments": ""}
        deltas.append({"index": index, "id": call_id, "type": "function", "function": opening})
        deltas.append({"index": index, "function": {"arguments": json.dumps(arguments)}})
    return sse(
        *(chunk(tool_calls=[delta]) for delta in deltas), chunk(finish="tool_calls"), chunk(usage=USAGE)
    )


def function(name: str, *required: str, **properties: JSON) -> JSONObject:
    """Return a function tool whose parameters are `properties`."""
    return {
        "type": "function",
        "name": name,
        "description": f"Does {name}.",
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
        "strict": True,
    }


WEATHER = function("get_weather", "city", city={"type": "string"})
