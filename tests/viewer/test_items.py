import msgspec
import pytest

from antiphon.viewer.items import Block, blocks, title, tool_of, words
from antiphon.wire.items import Item
from antiphon.wire.json import JSONObject

DECODER: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)

CITATION = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 1}
ITEMS: list[tuple[JSONObject, str, list[tuple[str, str]], str | None]] = [
    (
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        "User",
        [("markdown", "Hi")],
        None,
    ),
    (
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "Yes",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url": "https://a",
                            "title": "A",
                            "start_index": 0,
                            "end_index": 1,
                        }
                    ],
                },
                {"type": "refusal", "refusal": "No"},
            ],
        },
        "Assistant",
        [("markdown", "Yes"), ("note", "Cites A: https://a"), ("markdown", "No")],
        None,
    ),
    (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
        "Call of f",
        [("code", '{\n  "a": 1\n}')],
        "f",
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": "[]"},
        "Output of c",
        [("code", "[]")],
        None,
    ),
    (
        {"type": "mcp_call", "server_label": "s", "name": "f", "arguments": "{", "output": "o", "error": "e"},
        "Call of f at s",
        [("code", "{"), ("code", '"e"'), ("code", "o")],
        "f",
    ),
    (
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "S"}], "encrypted_content": "x"},
        "Reasoning",
        [("markdown", "S"), ("note", "Encrypted content")],
        None,
    ),
    (
        {"type": "file_search_call", "status": "completed", "queries": ["q"], "results": None},
        "File search",
        [("text", "q")],
        "file_search",
    ),
    (
        {"type": "mcp_approval_response", "approval_request_id": "r", "approve": False, "reason": "no"},
        "Approval",
        [("note", "Denied"), ("text", "no")],
        None,
    ),
    (
        {
            "type": "code_interpreter_call",
            "status": "completed",
            "container_id": "c",
            "code": "1",
            "outputs": [
                {"type": "logs", "logs": "L"},
                {"type": "image", "url": "data:image/png;base64,AAAA"},
                {"type": "image", "url": "https://evil.example/pixel.png"},
            ],
        },
        "Code interpreter",
        [
            ("code", "1"),
            ("code", "L"),
            ("image", "data:image/png;base64,AAAA"),
            ("note", "Image https://evil.example/pixel.png"),
        ],
        "code_interpreter",
    ),
    (
        {"type": "web_search_call", "status": "completed", "action": {"query": "q"}},
        "Web search",
        [("code", '{\n  "status": "completed",\n  "action": {\n    "query": "q"\n  }\n}')],
        "web_search",
    ),
]


@pytest.mark.parametrize(("given", "name", "content", "tool"), ITEMS, ids=lambda value: "")
def test_an_item_has_a_title_and_blocks(
    given: JSONObject, name: str, content: list[tuple[str, str]], tool: str | None
) -> None:
    item = DECODER.decode(msgspec.json.encode(given))
    assert title(item) == name
    assert [(block.kind, block.text) for block in blocks(item)] == content
    assert tool_of(item) == tool


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("data:image/png;base64,AAAA", "image"),
        ("https://evil.example/pixel.png", "note"),
        ("data:image/svg+xml;base64,AAAA", "note"),
        ("data:text/html,<script>", "note"),
    ],
)
def test_only_images_inside_of_the_page_are_shown(url: str, kind: str) -> None:
    message = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url}]}
    (block,) = blocks(DECODER.decode(msgspec.json.encode(message)))
    assert block.kind == kind


def test_the_first_words() -> None:
    message = {"type": "message", "role": "user", "content": "a\nb"}
    assert words(DECODER.decode(msgspec.json.encode(message))) == "a b"
    assert words(DECODER.decode(b'{"type":"compaction","encrypted_content":"x"}')).startswith("{")
    assert words(DECODER.decode(b'{"type":"message","role":"user","content":[]}')) == ""


def test_many_parts_are_bounded() -> None:
    parts = [{"type": "input_text", "text": "x"}] * 1000
    message = {"type": "message", "role": "user", "content": parts}
    shown = blocks(DECODER.decode(msgspec.json.encode(message)))
    assert len(shown) == 201
    assert shown[-1] == Block("note", "More parts are in the JSON.")
