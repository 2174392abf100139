import base64

import pytest
from msgspec import UNSET, UnsetType

from antiphon.engine.request.content import plain_text, tool_output, user_content
from antiphon.errors import InvalidRequest
from antiphon.wire.content import (
    ContentPart,
    FileCitation,
    InputAudio,
    InputFile,
    InputImage,
    InputText,
    OutputText,
    Refusal,
)

PNG = "data:image/png;base64,iVBORw0KGgo="


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def refusal_of(part: ContentPart) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        user_content([part])
    assert caught.value.param == "input"
    return caught.value


def test_a_string_stays_a_string() -> None:
    assert user_content("Hi") == "Hi"


def test_one_text_is_a_string_and_several_are_parts() -> None:
    assert user_content([InputText("Hi")]) == "Hi"
    assert user_content([InputText("Hi"), InputText("you")]) == [
        {"type": "text", "text": "Hi"},
        {"type": "text", "text": "you"},
    ]


@pytest.mark.parametrize("url", ["https://example.org/a.png", PNG])
def test_images(url: str) -> None:
    part = InputImage(image_url=url, detail="low")
    assert user_content([part]) == [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]


def test_an_image_without_detail() -> None:
    assert user_content([InputImage(image_url=PNG)]) == [{"type": "image_url", "image_url": {"url": PNG}}]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:text/html,<b>", "gopher://x", "x"])
def test_B51_an_image_url_that_is_not_an_image(url: str) -> None:
    error = refusal_of(InputImage(image_url=url))
    assert error.code == "invalid_value"
    assert "image_url" in error.message


@pytest.mark.parametrize("url", [UNSET, None, ""])
def test_file_ids_of_images_are_not_supported(url: str | None | UnsetType) -> None:
    error = refusal_of(InputImage(image_url=url, file_id="file-1"))
    assert error.code == "unsupported_content"


def test_a_text_file_is_sent_as_text() -> None:
    part = InputFile(filename="notes.txt", file_data=data_url("text/plain", "Grüße".encode()))
    assert user_content([part]) == "notes.txt:\nGrüße"


@pytest.mark.parametrize("media_type", ["application/json", "text/csv", "text/plain;charset=utf-8"])
def test_types_of_text_files(media_type: str) -> None:
    assert user_content([InputFile(file_data=data_url(media_type, b"1"))]) == "file:\n1"


@pytest.mark.parametrize(
    "url",
    [
        data_url("text/plain", b"\xff\xfe"),
        "data:text/plain;base64,not base64!",
        "data:text/plain;base64,Grüße",
        "data:text/plain;base64,QQ",
    ],
    ids=["not UTF-8", "not base64", "not ASCII", "cut"],
)
def test_a_text_file_that_is_none(url: str) -> None:
    error = refusal_of(InputFile(filename="a.txt", file_data=url))
    assert error.code == "invalid_value"
    assert "'a.txt' is not base64 of UTF-8 text" in error.message


@pytest.mark.parametrize("data", [data_url("application/pdf", b"%PDF"), "JVBERi0="])
def test_other_files_are_sent_unchanged(data: str) -> None:
    part = InputFile(filename="a.pdf", file_data=data)
    assert user_content([part]) == [{"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]


@pytest.mark.parametrize("part", [InputFile(file_id="file-1"), InputFile(file_url="https://example.org/a")])
def test_files_by_id_or_url_are_not_supported(part: InputFile) -> None:
    assert refusal_of(part).code == "unsupported_content"


def test_audio() -> None:
    audio = {"data": "AAAA", "format": "wav"}
    assert user_content([InputAudio(audio)]) == [{"type": "input_audio", "input_audio": audio}]


def test_tool_outputs() -> None:
    image = InputImage(image_url=PNG)
    shown = {"type": "image_url", "image_url": {"url": PNG}}
    assert tool_output("42") == ("42", [])
    assert tool_output([]) == ([], [])
    assert tool_output([InputText("42")]) == ("42", [])
    assert tool_output([InputText("see"), image]) == ("see", [shown])
    assert tool_output([image, image]) == ("[image], [image]", [shown, shown])
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert tool_output([InputText("a"), image, InputText("b")]) == (texts, [shown])


def test_plain_text() -> None:
    assert plain_text("a") == "a"
    assert plain_text([OutputText(text="a"), Refusal("b"), OutputText(text="c")]) == "abc"
    assert plain_text([]) == ""


def test_plain_text_has_its_marks_again() -> None:
    cited = FileCitation(file_id="file-1", index=1)
    parts: list[ContentPart] = [OutputText(text="a.", annotations=[cited]), OutputText(text="b")]
    assert plain_text(parts) == "a <|file-1|>.b"


def test_what_a_model_wrote_can_be_quoted_by_a_user() -> None:
    parts: list[ContentPart] = [Refusal("I can't."), OutputText(text="I can.")]
    assert user_content(parts) == [{"type": "text", "text": "I can't."}, {"type": "text", "text": "I can."}]


def test_a_breakpoint_of_the_prompt_cache_is_sent_to_backends_that_accept_it() -> None:
    mark = {"mode": "explicit", "ttl": "12h"}
    parts: list[ContentPart] = [
        InputText("Hi", prompt_cache_breakpoint=mark),
        InputImage(image_url=PNG, prompt_cache_breakpoint=mark),
        InputText("you"),
    ]
    text = {"type": "text", "text": "Hi"}
    assert user_content(parts, breakpoints=True) == [
        text | {"prompt_cache_breakpoint": mark},
        {"type": "image_url", "image_url": {"url": PNG}, "prompt_cache_breakpoint": mark},
        {"type": "text", "text": "you"},
    ]
    assert user_content(parts[:1], breakpoints=True) == [text | {"prompt_cache_breakpoint": mark}]
    assert user_content(parts[:1]) == "Hi"
