"""Content parts of messages, tool outputs and reasoning, and the annotations of text."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from antiphon.wire.json import JSON


class UrlCitation(Struct, tag="url_citation", kw_only=True):
    start_index: int
    end_index: int
    title: str
    url: str


class FileCitation(Struct, tag="file_citation", kw_only=True):
    file_id: str
    filename: str | UnsetType = UNSET
    index: int


class ContainerFileCitation(Struct, tag="container_file_citation", kw_only=True):
    container_id: str
    file_id: str
    filename: str
    start_index: int
    end_index: int


class FilePath(Struct, tag="file_path", kw_only=True):
    file_id: str
    index: int


Annotation = UrlCitation | FileCitation | ContainerFileCitation | FilePath


class TopLogprob(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(Struct):
    """The log probability of one output token; `bytes` is its UTF-8 form.

    Chat backends may leave `bytes` and `top_logprobs` out; the server itself always sends them.
    """

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = []


class InputText(Struct, tag="input_text"):
    text: str


class InputImage(Struct, tag="input_image", kw_only=True):
    """An image by URL (also `data:`) or by file id; one of the two."""

    image_url: str | None | UnsetType = UNSET
    file_id: str | None | UnsetType = UNSET
    detail: Literal["low", "high", "auto", "original"] | None | UnsetType = UNSET


class InputFile(Struct, tag="input_file", kw_only=True):
    """A file by id, by URL, or inline as a base64 `data:` URL in `file_data`."""

    file_id: str | None | UnsetType = UNSET
    filename: str | None | UnsetType = UNSET
    file_data: str | None | UnsetType = UNSET
    file_url: str | None | UnsetType = UNSET
    detail: Literal["auto", "low", "high"] | None | UnsetType = UNSET


class InputAudio(Struct, tag="input_audio"):
    input_audio: dict[str, JSON]


class OutputText(Struct, tag="output_text", kw_only=True):
    """Text of the model. Clients that send it back leave `annotations` and `logprobs` out."""

    annotations: list[Annotation] | None | UnsetType = UNSET
    logprobs: list[Logprob] | None | UnsetType = UNSET
    text: str


class Refusal(Struct, tag="refusal"):
    refusal: str


class PlainText(Struct, tag="text"):
    text: str


class SummaryText(Struct, tag="summary_text"):
    text: str


class ReasoningText(Struct, tag="reasoning_text"):
    text: str


class ComputerScreenshot(Struct, tag="computer_screenshot", kw_only=True):
    image_url: str | None | UnsetType = UNSET
    file_id: str | None | UnsetType = UNSET
    detail: str | None | UnsetType = UNSET


ContentPart = (
    InputText
    | InputImage
    | InputFile
    | InputAudio
    | OutputText
    | Refusal
    | PlainText
    | SummaryText
    | ReasoningText
    | ComputerScreenshot
)
"""Whatever a message may hold; conversations keep every kind."""

ToolOutputPart = InputText | InputImage | InputFile
"""What the output of a function or custom tool call may hold."""
