"""Items of file searches: for the model, for the client, and the tool as responses show it."""

import json
from collections.abc import Container

import msgspec
from msgspec import Struct

from antiphon.engine.behavior import FileSearchFunction
from antiphon.engine.hosted.items import error_in
from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.chat import ChatContentPart
from antiphon.wire.items import FileSearchCall, Item
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import FileSearchTool

_RESULTS = "file_search_call.results"


class Words(Struct, frozen=True, kw_only=True):
    """The wording of file search for the model, as in recordings of llama-stack."""

    function: FileSearchFunction
    mark: str
    """The mark after the data of a result, with `{}` for the ID of the file."""
    task: str
    """The instructions for citations."""
    no_task: str
    """The text instead of the instructions if nothing was found."""


FILE_SEARCH = Words(
    function="file_search",
    mark="cite as <|{}|>",
    task=" Cite sources immediately at the end of sentences before punctuation, using `<|file-id|>` format "
    "like 'This is a fact <|file-Cn3MSNn72ENTiiq11Qda4A|>.'. Do not add extra punctuation. Use only the file "
    "IDs provided, do not invent new ones.",
    no_task=" ",
)
KNOWLEDGE_SEARCH = Words(
    function="knowledge_search",
    mark="(cite as <|{}|>)",
    task=" Cite sources immediately at the end of sentences before punctuation, using `<|file-id|>` format "
    "(e.g., 'This is a fact <|file-Cn3MSNn72ENTiiq11Qda4A|>.'). Do not add extra punctuation. Use only the "
    "file IDs provided (do not invent new ones).",
    no_task="",
)


class FileSearchItems(HostedKind[FileSearchCall]):
    """Calls of file search."""

    item: type[FileSearchCall] = FileSearchCall
    includes = (_RESULTS,)
    words: Words = FILE_SEARCH

    def function(self, item: FileSearchCall) -> CalledFunction:
        """Return the search with its queries."""
        name = self.words.function
        return CalledFunction(name, name, json.dumps({"query": "\n".join(item.queries)}))

    def output(self, item: FileSearchCall) -> str | list[ChatContentPart] | None:
        """Return the chunks with their scores, or the error; None if the item does not hold them."""
        if not isinstance(item.results, list):
            return None
        error = error_in(item.results)
        if error is not None:
            return error
        return _results("\n".join(item.queries), item.results, self.words)

    def for_client(self, item: FileSearchCall, include: Container[str]) -> FileSearchCall:
        """Return the item without results, unless they are included; errors never are."""
        shows_results = _RESULTS in include and error_in(item.results) is None
        return item if shows_results else msgspec.structs.replace(item, results=None)

    def has_failed(self, item: FileSearchCall) -> bool:
        """Return whether the search has failed."""
        return item.status == "failed" or error_in(item.results) is not None


class KnowledgeSearchCall(FileSearchCall, tag="file_search_call", kw_only=True):
    """A file search that the model receives as a call of `knowledge_search`.

    Only items for the model have this type: it is the same JSON, and decoding gives a `FileSearchCall`.
    """


class KnowledgeSearchItems(FileSearchItems):
    """Calls of file search as `knowledge_search`."""

    item = KnowledgeSearchCall
    words = KNOWLEDGE_SEARCH


CALLS: dict[FileSearchFunction, type[FileSearchCall]] = {
    "file_search": FileSearchCall,
    "knowledge_search": KnowledgeSearchCall,
}
"""The type of items of a file search, by the function that the model calls."""


def as_knowledge_search(items: list[Item]) -> list[Item]:
    """Return the items of a context, with file searches as calls of `knowledge_search`."""
    return [
        KnowledgeSearchCall(**msgspec.structs.asdict(item)) if isinstance(item, FileSearchCall) else item
        for item in items
    ]


def echo(tool: FileSearchTool) -> FileSearchTool:
    """Return the tool with its defaults, as api.openai.com does."""
    return msgspec.structs.replace(
        tool,
        filters=tool.filters or None,
        max_num_results=tool.max_num_results or 20,
        ranking_options={"ranker": "auto", "score_threshold": 0.0} | (tool.ranking_options or {}),
    )


def _results(query: str, results: list[JSONObject], words: Words) -> list[ChatContentPart]:
    name = words.function
    head = f"{name} tool found {len(results)} chunks:\nBEGIN of {name} tool results.\n"
    task = f'The above results were retrieved to help answer the user\'s query: "{query}". Use them as '
    task += (
        f"supporting information only in answering this query.{words.task if results else words.no_task}\n"
    )
    hits = [_hit(number, result, words) for number, result in enumerate(results, 1)]
    return [_text(text) for text in (head, *hits, f"END of {name} tool results.\n", task)]


def _hit(number: int, result: JSONObject, words: Words) -> str:
    file_id, attributes = result.get("file_id"), result.get("attributes")
    about = f"[{number}] document_id: {file_id}, score: {result.get('score')}"
    if attributes:  # In Python's form, as in recordings.
        about += f", attributes: {attributes}"
    return f"{about} {words.mark.format(file_id)}\n{result.get('text')}\n"


def _text(text: str) -> ChatContentPart:
    return {"type": "text", "text": text}
