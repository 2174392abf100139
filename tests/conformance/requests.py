"""Requests of Open Responses' acceptance suite, in our own words."""

from antiphon.wire.json import JSON, JSONObject

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)
NOTE = "data:text/plain;base64,VGhlIGNvZGUgbmFtZSBpcyBCTFVFX0ZBTENPTi4="
"""A file with the text "The code name is BLUE_FALCON.", in base64."""
NOBODYS_ID = "resp_" + "0" * 50


def message(role: str, content: JSON, **more: JSON) -> JSONObject:
    """Return a message as an item of the input."""
    return {"type": "message", "role": role, "content": content} | more


BASIC: JSONObject = {"input": [message("user", "Say hello in exactly 3 words.")]}
PHASES: JSONObject = {
    "input": [
        message("user", "Inspect the request."),
        message("assistant", "I am looking at it.", phase="commentary"),
        message("assistant", "It is fine.", phase="final_answer"),
        message("user", "Say it again."),
    ]
}
SYSTEM: JSONObject = {
    "input": [message("system", "You are a pirate. Always speak so."), message("user", "Say hello.")]
}
TOOLS: JSONObject = {
    "input": [message("user", "What is the weather like in San Francisco?")],
    "tools": [
        {
            "type": "function",
            "name": "get_weather",
            "description": "Get the current weather for a location",
            "parameters": {
                "type": "object",
                "properties": {"location": {"type": "string", "description": "City and state"}},
                "required": ["location"],
            },
        }
    ],
}
"""The function has no `strict`."""
IMAGE: JSONObject = {
    "input": [
        message(
            "user",
            [
                {"type": "input_text", "text": "What do you see? One sentence."},
                {"type": "input_image", "image_url": PIXEL},
            ],
        )
    ]
}
"""The image has no `detail`."""
FILE: JSONObject = {
    "input": [
        message(
            "user",
            [
                {"type": "input_file", "filename": "note.txt", "file_data": NOTE},
                {"type": "input_text", "text": "What is the code name?"},
            ],
        )
    ]
}
TURNS: JSONObject = {
    "input": [
        message("user", "My name is Alice."),
        message("assistant", "Hello Alice! Nice to meet you."),
        message("user", "What is my name?"),
    ]
}
"""History that the client kept."""
LONG: JSONObject = {
    "input": [
        message("user", "My favorite color is red."),
        message("assistant", [{"type": "output_text", "text": "Noted."}]),
        message("user", "I live in Lisbon."),
    ]
}
"""Context to compact; its output text has no `annotations`."""
ORPHAN: JSON = {"type": "function_call_output", "call_id": "call_that_nobody_made", "output": "x"}
