"""Content parts of messages, tool outputs and reasoning, and text annotations."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from antiphon.wire.json import JSON, JSONObject


class UrlCitation(Struct, tag="url_citation", kw_only=True):
    """Citation of a web page."""

    start_index: int
    end_index: int
    title: str
    url: str


class FileCitation(Struct, tag="file_citation", kw_only=True):
    """Citation of a file."""

    file_id: str
    filename: str | UnsetType = UNSET
    index: int


class ContainerFileCitation(Struct, tag="container_file_citation", kw_only=True):
    """Citation of a file in a code interpreter's container."""

    container_id: str
    file_id: str
    filename: str
    start_index: int
    end_index: int


class FilePath(Struct, tag="file_path", kw_only=True):
    """Path of a generated file."""

    file_id: str
    index: int


Annotation = UrlCitation | FileCitation | ContainerFileCitation | FilePath
"""Annotation of output text."""


class TopLogprob(Struct):
    """Log probability of an alternative token."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(Struct):
    """Log probability of an output token; `bytes` is its UTF-8 form.

    Backends may omit `bytes` and `top_logprobs`; this server always sends them.
    """

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = []


ImageDetail = Literal["low", "high", "auto", "original"]


class InputText(Struct, tag="input_text"):
    """Text input to the model."""

    text: str
    prompt_cache_breakpoint: JSONObject | None | UnsetType = UNSET


class InputImage(Struct, tag="input_image", kw_only=True):
    """Image input, either by HTTP or `data:` URL, or by file ID."""

    image_url: str | None | UnsetType = UNSET
    file_id: str | None | UnsetType = UNSET
    detail: ImageDetail | None | UnsetType = UNSET
    prompt_cache_breakpoint: JSONObject | None | UnsetType = UNSET


class InputFile(Struct, tag="input_file", kw_only=True):
    """File input by ID, by URL, or inline as a base64 `data:` URL in `file_data`."""

    file_id: str | None | UnsetType = UNSET
    filename: str | None | UnsetType = UNSET
    file_data: str | None | UnsetType = UNSET
    file_url: str | None | UnsetType = UNSET
    detail: Literal["auto", "low", "high"] | None | UnsetType = UNSET
    prompt_cache_breakpoint: JSONObject | None | UnsetType = UNSET


class InputAudio(Struct, tag="input_audio"):
    """Audio input to the model."""

    input_audio: dict[str, JSON]


class OutputText(Struct, tag="output_text", kw_only=True):
    """Output text; clients that send it back may omit `annotations` and `logprobs`."""

    annotations: list[Annotation] | None | UnsetType = UNSET
    logprobs: list[Logprob] | None | UnsetType = UNSET
    text: str


class Refusal(Struct, tag="refusal"):
    """Refusal by the model."""

    refusal: str


class PlainText(Struct, tag="text"):
    """Text without annotations."""

    text: str


class SummaryText(Struct, tag="summary_text"):
    """Text of a reasoning summary."""

    text: str


class ReasoningText(Struct, tag="reasoning_text"):
    """Text of raw reasoning."""

    text: str


class ComputerScreenshot(Struct, tag="computer_screenshot", kw_only=True):
    """Screenshot of a computer, by URL or file ID."""

    image_url: str | None | UnsetType = UNSET
    file_id: str | None | UnsetType = UNSET
    detail: ImageDetail | None | UnsetType = UNSET
    prompt_cache_breakpoint: JSONObject | None | UnsetType = UNSET


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
"""Part of a message; conversations store every kind."""

ToolOutputPart = InputText | InputImage | InputFile
"""Part of the output of a function call or a custom tool call."""
