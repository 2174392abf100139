"""Images and documents of the Messages API."""

import pytest

from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject
from tests.dialects.anthropic.asked import items, user


def parts(block: JSONObject) -> list[JSON]:
    """Return the parts of a block of the user."""
    found: list[JSON] = items(user(block))[0]["content"]
    return found


@pytest.mark.parametrize(
    ("source", "image"),
    [
        (
            {"type": "base64", "media_type": "image/png", "data": "aGk="},
            {"image_url": "data:image/png;base64,aGk="},
        ),
        ({"type": "url", "url": "https://x.test/a"}, {"image_url": "https://x.test/a"}),
        ({"type": "file", "file_id": "file-1"}, {"file_id": "file-1"}),
    ],
)
def test_images(source: JSON, image: JSONObject) -> None:
    assert parts({"type": "image", "source": source}) == [{"type": "input_image"} | image]


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (
            {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            {
                "type": "input_file",
                "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,aGk=",
            },
        ),
        (
            {"type": "text", "media_type": "text/plain", "data": "Text"},
            {"type": "input_text", "text": "Text"},
        ),
        ({"type": "url", "url": "https://x.test/a"}, {"type": "input_file", "file_url": "https://x.test/a"}),
        ({"type": "file", "file_id": "file-1"}, {"type": "input_file", "file_id": "file-1"}),
    ],
)
def test_documents_follow_their_title(source: JSON, part: JSON) -> None:
    found = parts({"type": "document", "source": source, "title": "Report"})
    assert found == [{"type": "input_text", "text": "Report"}, part]


@pytest.mark.parametrize(
    ("block", "param"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": ""}},
            "messages[0].content[0].source.media_type",
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "text/html", "data": ""}},
            "messages[0].content[0].source.media_type",
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "data": "Text"},
                "citations": {"enabled": True},
            },
            "messages[0].content[0].citations.enabled",
        ),
    ],
)
def test_other_media_types_and_citations_are_refused(block: JSONObject, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parts(block)
    assert caught.value.param == param
