"""URLs in the content of a request that the backend would fetch."""

from collections.abc import Iterable, Iterator, Sequence

from antiphon.engine.ports import JudgeUrl
from antiphon.net.urls import is_inline, is_remote, urls_in_value
from antiphon.service.items import visit_parts
from antiphon.wire.content import ComputerScreenshot, ContentPart, InputAudio, InputFile, InputImage
from antiphon.wire.items import Item

Placed = Iterable[tuple[ContentPart, str]]


async def judge_urls(
    judge_url: JudgeUrl | None, input_items: Sequence[Item], context: Sequence[Item], prompt: Placed
) -> None:
    """Judge the URLs of images and other content before the backend fetches them, each once.

    Errors have the path of the URL in the request as `param`; `input` for URLs of earlier responses.

    Args:
        judge_url: Judges one URL; None if the backend may fetch any.
        input_items: The items of the request.
        context: All items for the model.
        prompt: The parts of the prompt's variables, with their paths.

    Raises:
        InvalidRequest: The backend must not fetch a URL.
    """
    if judge_url is None:
        return
    paths: dict[str, str] = {}

    def visit(part: ContentPart, where: str) -> None:
        for url, path in _urls(part, where):
            paths.setdefault(url, path)

    await visit_parts(input_items, "input", visit)
    await visit_parts(context, None, visit)
    for part, where in prompt:
        visit(part, where)
    for url, path in paths.items():
        await judge_url(url, path)


def _urls(part: ContentPart, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, InputImage | ComputerScreenshot):
        if part.image_url and not is_inline(part.image_url):
            yield part.image_url, f"{where}.image_url"
    elif isinstance(part, InputFile):
        # This server has downloaded `file_url`. Some backends also accept a URL as data.
        if part.file_data and is_remote(part.file_data):
            yield part.file_data, f"{where}.file_data"
    elif isinstance(part, InputAudio):
        yield from urls_in_value(part.input_audio, f"{where}.input_audio")
