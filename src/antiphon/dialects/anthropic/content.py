"""Images and documents of the Messages API as parts of the Responses API. Pure."""

from collections.abc import Sequence

from antiphon.decode.explain import unsupported_value
from antiphon.errors import InvalidRequest
from antiphon.wire.content import InputFile, InputImage, InputText, ToolOutputPart
from antiphon.wire.messages import (
    Base64Data,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    TextData,
    UploadedFile,
    UrlReference,
)

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_DOCUMENTS = ("application/pdf",)


def input_parts(blocks: Sequence[TextBlock | ImageBlock | DocumentBlock], param: str) -> list[ToolOutputPart]:
    """Return the parts of blocks.

    Args:
        blocks: The blocks.
        param: The place of the blocks in the request.

    Raises:
        InvalidRequest: A block has an unsupported media type or option.
    """
    parts: list[ToolOutputPart] = []
    for position, block in enumerate(blocks):
        match block:
            case TextBlock():
                parts.append(InputText(block.text))
            case ImageBlock():
                parts.append(image_part(block, f"{param}[{position}]"))
            case DocumentBlock():
                parts += file_part(block, f"{param}[{position}]")
    return parts


def image_part(block: ImageBlock, param: str) -> InputImage:
    """Return the part of an image; see `input_parts`."""
    match block.source:
        case Base64Data(media_type=media_type, data=data):
            _check_type(media_type, _IMAGES, param)
            return InputImage(image_url=f"data:{media_type};base64,{data}")
        case UrlReference(url):
            return InputImage(image_url=url)
        case UploadedFile(file_id):
            return InputImage(file_id=file_id)


def file_part(block: DocumentBlock, param: str) -> list[InputText | InputFile]:
    """Return the parts of a document, after a text with its title and context; see `input_parts`."""
    if block.citations is not None and block.citations.enabled:
        raise InvalidRequest(
            f"Unsupported value: '{param}.citations.enabled' does not support true on this server.",
            code="unsupported_value",
            param=f"{param}.citations.enabled",
        )
    head = [InputText(text) for text in (block.title, block.context) if text]
    match block.source:
        case Base64Data(media_type=media_type, data=data):
            _check_type(media_type, _DOCUMENTS, param)
            whole = f"data:{media_type};base64,{data}"
            return [*head, InputFile(filename="document.pdf", file_data=whole)]
        case TextData(data=text):
            return [*head, InputText(text)]
        case UrlReference(url):
            return [*head, InputFile(file_url=url)]
        case UploadedFile(file_id):
            return [*head, InputFile(file_id=file_id)]


def _check_type(given: str, supported: Sequence[str], param: str) -> None:
    if given not in supported:
        raise unsupported_value(f"{param}.source.media_type", given, supported)
