"""Translation of content parts into chat content."""

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


def user_content(
    content: str | list[ContentPart], *, breakpoints: bool = False
) -> str | list[ChatContentPart]:
    """Translate the content of a user, system or developer message.

    A single text part is sent as a string, which every backend accepts.

    Args:
        content: The content.
        breakpoints: Whether the backend accepts `prompt_cache_breakpoint`.
    """
    if isinstance(content, str):
        return content
    parts = list(map(_chat_part, content))
    if breakpoints:
        _add_breakpoints(parts, content)
    if len(parts) == 1 and parts[0]["type"] == "text" and "prompt_cache_breakpoint" not in parts[0]:
        return parts[0]["text"]
    return parts


def tool_output(
    output: str | list[ToolOutputPart], *, images: bool = True
) -> tuple[str | list[ChatContentPart], list[ChatContentPart]]:
    """Translate the output of a tool call.

    In chats, only user messages can have images and files, also at api.openai.com. Without any text, the tool
    message names their kinds in llama-stack's words.

    Args:
        output: The output.
        images: Whether the backend accepts images; otherwise, they are only named.

    Returns:
        The content of the tool message, and the parts that it can't contain.
    """
    content = output if isinstance(output, str) else user_content([*output])
    if isinstance(content, str):
        return content, []
    texts = [part for part in content if part["type"] == "text"]
    others = [part for part in content if part["type"] != "text"]
    shown = [part for part in others if images or part["type"] != "image_url"]
    if others and not texts:
        return ", ".join(map(_named, others)), shown
    if len(shown) < len(others):
        texts += [{"type": "text", "text": _named(part)} for part in others if part not in shown]
    return texts[0]["text"] if len(texts) == 1 else texts, shown


def plain_text(content: str | list[ContentPart]) -> str:
    """Return the text of an assistant message as the model wrote it.

    The text includes the marks for cited files, and refusals.
    """
    if isinstance(content, str):
        return content
    return "".join(map(_written, content))


def _named(part: ChatContentPart) -> str:
    return f"[{part['type'].removesuffix('_url')}]"


def _add_breakpoints(parts: list[ChatContentPart], content: list[ContentPart]) -> None:
    for part, given in zip(parts, content, strict=True):
        if isinstance(given, InputText | InputImage | InputFile | ComputerScreenshot) and (
            given.prompt_cache_breakpoint
        ):
            part["prompt_cache_breakpoint"] = given.prompt_cache_breakpoint


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
    """Translate a file: text becomes a text part, and other files become `file` parts."""
    if not part.file_data:
        raise _nothing_to_send("input_file", "file_data")
    media_type, data = _data_url(part.file_data)
    name = part.filename or "file"
    if media_type.startswith(_TEXT_TYPES):
        try:
            text = base64.b64decode(data, validate=True).decode()
        except ValueError:  # The data isn't ASCII, base64 or UTF-8.
            raise InvalidRequest(
                f"Invalid 'input_file.file_data': the data of '{name}' is not base64 of UTF-8 text.",
                code="invalid_value",
                param="input",
            ) from None
        return {"type": "text", "text": f"{name}:\n{text}"}
    return {"type": "file", "file": {"filename": name, "file_data": part.file_data}}


def _data_url(url: str) -> tuple[str, str]:
    """Return the media type (empty for bare base64) and base64 data of a data URL."""
    if not url.startswith("data:"):
        return "", url
    head, _, data = url.partition(",")
    return head.removeprefix("data:").partition(";")[0], data


def _nothing_to_send(kind: str, field: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{kind}': a chat model needs its '{field}', which is missing.",
        code="unsupported_content",
        param="input",
    )
