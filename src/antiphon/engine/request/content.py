"""From content parts to chat content. Pure."""

import base64

from antiphon.engine.reply.citations import marked_text
from antiphon.errors import InvalidRequest
from antiphon.wire.chat import ChatContentPart
from antiphon.wire.content import (
    ComputerScreenshot,
    ContentPart,
    InputAudio,
    InputFile,
    InputImage,
    InputText,
    OutputText,
    Refusal,
    ToolOutputPart,
)

_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript", "application/yaml")


def user_content(content: str | list[ContentPart]) -> str | list[ChatContentPart]:
    """Translates the content of a user, system or developer message.

    A single text part goes out as a string, which every backend takes.
    """
    if isinstance(content, str):
        return content
    parts = list(map(_chat_part, content))
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts


def tool_output(
    output: str | list[ToolOutputPart],
) -> tuple[str | list[ChatContentPart], list[ChatContentPart]]:
    """Translates the output of a tool call: what the tool message says, and what it cannot hold.

    In a chat only users show images and files, at api.openai.com too. Where there is nothing else, the tool
    message names their kind, in llama-stack's words.
    """
    content = output if isinstance(output, str) else user_content([*output])
    if isinstance(content, str):
        return content, []
    texts = [part for part in content if part["type"] == "text"]
    others = [part for part in content if part["type"] != "text"]
    if others and not texts:
        return ", ".join(f"[{part['type'].removesuffix('_url')}]" for part in others), others
    return texts[0]["text"] if len(texts) == 1 else texts, others


def plain_text(content: str | list[ContentPart]) -> str:
    """Returns the text of an assistant message as the model wrote it, with its marks for cited files.

    A refusal is text that the model wrote, too.
    """
    if isinstance(content, str):
        return content
    return "".join(map(_written, content))


def _written(part: ContentPart) -> str:
    if isinstance(part, OutputText) and part.annotations:
        return marked_text(part)
    return part.refusal if isinstance(part, Refusal) else getattr(part, "text", "")


def _chat_part(part: ContentPart) -> ChatContentPart:
    if isinstance(part, InputText):
        return {"type": "text", "text": part.text}
    if isinstance(part, InputImage | ComputerScreenshot):
        return _image(part)
    if isinstance(part, InputFile):
        return _file(part)
    if isinstance(part, InputAudio):
        return {"type": "input_audio", "input_audio": part.input_audio}
    if isinstance(part, Refusal):
        return {"type": "text", "text": part.refusal}
    return {"type": "text", "text": part.text}


def _image(part: InputImage | ComputerScreenshot) -> ChatContentPart:
    if not part.image_url:
        raise _nothing_to_send("input_image", "image_url")
    if not part.image_url.startswith(("http://", "https://", "data:image/")):
        raise InvalidRequest(
            "Invalid 'input_image.image_url': expected an http(s) URL or a data URL of an image.",
            code="invalid_value",
            param="input",
        )
    chat_part: ChatContentPart = {"type": "image_url", "image_url": {"url": part.image_url}}
    if part.detail:
        chat_part["image_url"]["detail"] = part.detail
    return chat_part


def _file(part: InputFile) -> ChatContentPart:
    """Text files become text, which every backend reads; other files go out as a `file` part."""
    if not part.file_data:
        raise _nothing_to_send("input_file", "file_data")
    media_type, data = _data_url(part.file_data)
    name = part.filename or "file"
    if media_type.startswith(_TEXT_TYPES):
        try:
            text = base64.b64decode(data, validate=True).decode()
        except ValueError:  # Not ASCII, not base64, or not UTF-8.
            raise InvalidRequest(
                f"Invalid 'input_file.file_data': the data of '{name}' is not base64 of UTF-8 text.",
                code="invalid_value",
                param="input",
            ) from None
        return {"type": "text", "text": f"{name}:\n{text}"}
    return {"type": "file", "file": {"filename": name, "file_data": part.file_data}}


def _data_url(url: str) -> tuple[str, str]:
    """The media type and the base64 data of a data URL; bare base64 has no media type."""
    if not url.startswith("data:"):
        return "", url
    head, _, data = url.partition(",")
    return head.removeprefix("data:").partition(";")[0], data


def _nothing_to_send(kind: str, field: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{kind}': without '{field}' there is nothing that a chat model could be given.",
        code="unsupported_content",
        param="input",
    )
