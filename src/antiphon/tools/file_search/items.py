"""Items of file searches: for the model, for the client, and the tool as responses show it."""

import json
from collections.abc import Container

import msgspec

from antiphon.engine.hosted.items import error_in
from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.chat import ChatContentPart
from antiphon.wire.items import FileSearchCall
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import FileSearchTool

_RESULTS = "file_search_call.results"
_CITE = (
    " Cite sources immediately at the end of sentences before punctuation, using `<|file-id|>` format like "
    "'This is a fact <|file-Cn3MSNn72ENTiiq11Qda4A|>.'. Do not add extra punctuation. Use only the file IDs "
    "provided, do not invent new ones."
)


class FileSearchItems(HostedKind[FileSearchCall]):
    """Calls of file search."""

    item = FileSearchCall
    includes = (_RESULTS,)

    def function(self, item: FileSearchCall) -> CalledFunction:
        """Return the search with its queries."""
        return CalledFunction("file_search", "file_search", json.dumps({"query": "\n".join(item.queries)}))

    def output(self, item: FileSearchCall) -> str | list[ChatContentPart] | None:
        """Return the chunks with their scores, or the error; None if the item does not hold them."""
        if not isinstance(item.results, list):
            return None
        error = error_in(item.results)
        return _results("\n".join(item.queries), item.results) if error is None else error

    def for_client(self, item: FileSearchCall, include: Container[str]) -> FileSearchCall:
        """Return the item without results, unless they are included; errors never are."""
        shows_results = _RESULTS in include and error_in(item.results) is None
        return item if shows_results else msgspec.structs.replace(item, results=None)

    def has_failed(self, item: FileSearchCall) -> bool:
        """Return whether the search has failed."""
        return item.status == "failed" or error_in(item.results) is not None


def echo(tool: FileSearchTool) -> FileSearchTool:
    """Return the tool with its defaults, as api.openai.com does."""
    return msgspec.structs.replace(
        tool,
        filters=tool.filters or None,
        max_num_results=tool.max_num_results or 20,
        ranking_options={"ranker": "auto", "score_threshold": 0.0} | (tool.ranking_options or {}),
    )


def _results(query: str, results: list[JSONObject]) -> list[ChatContentPart]:
    head = f"file_search tool found {len(results)} chunks:\nBEGIN of file_search tool results.\n"
    task = f'The above results were retrieved to help answer the user\'s query: "{query}". Use them as '
    task += f"supporting information only in answering this query.{_CITE if results else ' '}\n"
    hits = [_hit(number, result) for number, result in enumerate(results, 1)]
    return [_text(text) for text in (head, *hits, "END of file_search tool results.\n", task)]


def _hit(number: int, result: JSONObject) -> str:
    file_id, attributes = result.get("file_id"), result.get("attributes")
    about = f"[{number}] document_id: {file_id}, score: {result.get('score')}"
    if attributes:  # In Python's form, as in recordings.
        about += f", attributes: {attributes}"
    return f"{about} cite as <|{file_id}|>\n{result.get('text')}\n"


def _text(text: str) -> ChatContentPart:
    return {"type": "text", "text": text}
