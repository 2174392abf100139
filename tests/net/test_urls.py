import pytest

from antiphon.net.urls import is_inline, is_remote, urls_in, urls_in_value
from antiphon.wire.json import JSON, JSONObject

URL = "http://10.0.0.1/a.png"
DATA = "data:image/png;base64,AAAA"


def part(content: JSON) -> JSONObject:
    return {"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": ["text", content]}]}


PLACE = "messages[1].content[1]"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"type": "image_url", "image_url": {"url": URL}}, [(URL, ".image_url.url")]),
        ({"type": "image_url", "image_url": URL}, [(URL, ".image_url")]),
        ({"type": "video_url", "video_url": {"url": URL}}, [(URL, ".video_url.url")]),
        ({"type": "audio_url", "audio_url": {"url": URL}}, [(URL, ".audio_url.url")]),
        ({"type": "image_url", "image_url": [URL, DATA]}, [(URL, ".image_url[0]")]),
        ({"type": "text", "text": URL, "image_url": {"url": URL}}, [(URL, ".image_url.url")]),
        ({"image_url": {"url": "10.0.0.1/a.png"}}, [("10.0.0.1/a.png", ".image_url.url")]),
        ({"image_url": {"url": " data:,"}}, [(" data:,", ".image_url.url")]),
        ({"type": "file", "file": {"filename": URL, "file_data": URL}}, [(URL, ".file.file_data")]),
        ({"type": "file", "file": {"file_id": "gs://b/x"}}, [("gs://b/x", ".file.file_id")]),
        ({"type": "input_audio", "input_audio": {"data": URL}}, [(URL, ".input_audio.data")]),
        ({"type": "text", "text": URL}, []),
        ({"type": "refusal", "refusal": URL}, []),
        ({"type": "image_url", "image_url": {"url": DATA, "detail": "low"}}, []),
        ({"type": "image_url", "image_url": {"url": DATA.replace("data", "DATA")}}, []),
        ({"type": "file", "file": {"filename": "a:b", "file_data": DATA}}, []),
        ({"type": "file", "file": {"file_data": "AAAA", "file_id": "file-1"}}, []),
        ({"image_url": {"url": None}}, []),
    ],
)
def test_urls_of_content(content: JSON, found: list[tuple[str, str]]) -> None:
    assert list(urls_in(part(content))) == [(url, PLACE + path) for url, path in found]


def test_other_places() -> None:
    body: JSONObject = {
        "input": ["http://10.0.0.1/text", {"type": "image_url", "image_url": {"url": URL}}],
        "tools": [
            {"type": "function", "function": {"parameters": {"$schema": "http://json-schema.org/"}}},
            {"type": "custom", "custom": {"name": URL}},
            {"type": "mcp", "server_url": URL, "headers": {"X": "y"}},
        ],
        "prompt": URL,
        "metadata": {"url": URL},
    }
    assert list(urls_in(body)) == [(URL, "input[1].image_url.url"), (URL, "tools[2].server_url")]


@pytest.mark.parametrize(
    "body", [{}, {"messages": "x", "input": URL, "tools": {}}, {"messages": [1, None, []]}]
)
def test_bodies_of_any_form(body: JSONObject) -> None:
    assert list(urls_in(body)) == []


def test_any_depth_is_searched() -> None:
    value: JSON = URL
    for _ in range(100_000):
        value = {"a": value}
    ((url, path),) = urls_in_value(value, "input")
    assert (url, len(path)) == (URL, 5 + 200_000)


@pytest.mark.parametrize(
    ("value", "remote"),
    [
        ("http://h", True),
        ("HTTPS://h", True),
        ("http:h", True),
        (" \n\thttp://h", True),
        ("ht\ntp://h", True),
        ("file:///etc/passwd", True),
        ("gs://bucket", True),
        (" " * 250 + "http://h", True),
        ("data:image/png;base64,AAAA", False),
        ("iVBORw0KGgo//w==", False),
        ("file-abc", False),
        ("", False),
    ],
)
def test_what_a_program_may_fetch(value: str, remote: bool) -> None:
    assert is_remote(value) is remote


def test_data_urls_have_their_data() -> None:
    assert [is_inline(url) for url in ("data:,", "DATA:x", " data:,", "dat")] == [True, True, False, False]
