"""What the scripted backend says, in short."""

import json

from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Answer, chunk, sse

USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def says(*pieces: str) -> Answer:
    """A text, streamed in pieces."""
    return sse(*(chunk(piece) for piece in pieces), chunk(finish="stop"), chunk(usage=USAGE))


def says_json(value: JSON) -> Answer:
    """A JSON text in two pieces."""
    text = json.dumps(value)
    return says(text[:5], text[5:])


def calls(*functions: tuple[str, str, JSON]) -> Answer:
    """Parallel function calls, each a call id, a name and the arguments."""
    deltas: list[JSONObject] = []
    for index, (call_id, name, arguments) in enumerate(functions):
        opening = {"name": name, "arguments": ""}
        deltas.append({"index": index, "id": call_id, "type": "function", "function": opening})
        deltas.append({"index": index, "function": {"arguments": json.dumps(arguments)}})
    return sse(
        *(chunk(tool_calls=[delta]) for delta in deltas), chunk(finish="tool_calls"), chunk(usage=USAGE)
    )


def function(name: str, *required: str, **properties: JSON) -> JSONObject:
    """A function tool whose parameters are `properties`."""
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
