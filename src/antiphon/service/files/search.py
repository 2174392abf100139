"""Search in vector stores, for its endpoint and for the hosted tool."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct

from antiphon.documents.filters import decode_filter
from antiphon.documents.ranking import decode_ranking
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, NotFound
from antiphon.service.files.retrieval import Retrieval
from antiphon.service.files.vector_store_files import decode_attributes, target_of
from antiphon.store import Store
from antiphon.store.vector_stores.rows import NamedFile, StoredVectorStore
from antiphon.tools.context import FileSearch
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import FileSearchTool, Tool
from antiphon.wire.vector_stores import (
    Attributes,
    SearchResult,
    SearchResultsPage,
    SearchVectorStore,
    TextContent,
)

_LIMIT = 10
"""Default number of results.

OpenAI's default: https://platform.openai.com/docs/api-reference/vector-stores/search
"""
_TOOL_LIMIT = 20
"""Default number of results of the hosted tool, which api.openai.com echoes in responses."""
_MAX_QUERIES = 20
_MAX_QUERY = 10_000
"""Maximum length of one query in characters."""


class Hit(Struct, frozen=True, kw_only=True):
    """A chunk that matches a query, with the name and the attributes of its file."""

    vector_store_id: str
    """Id of the vector store."""
    file_id: str
    """Id of the file."""
    filename: str
    """Name of the file."""
    score: float
    """Relevance between 0 and 1."""
    text: str
    """Text of the chunk."""
    attributes: Attributes
    """Attributes of the file in the vector store."""


class Query(Struct, frozen=True, kw_only=True):
    """The parameters of a search, not yet validated."""

    queries: Sequence[str]
    """The queries, whose results are fused."""
    max_num_results: int | None
    """Maximum number of results; None for the default."""
    filters: JSON
    """Filters on file attributes; None for all files."""
    ranking_options: JSON
    """Ranking options; None for the defaults."""


class Search:
    """The search for chunks in the vector stores of an owner."""

    def __init__(self, store: Store, retrieval: Retrieval) -> None:
        self._store = store
        self._retrieval = retrieval

    async def search(
        self, context: RequestContext, vector_store_id: str, request: SearchVectorStore
    ) -> SearchResultsPage:
        """Return the results of a search request.

        Raises:
            NotFound: The owner has no such vector store.
            InvalidRequest: The vector store has expired, or a parameter is invalid.
        """
        queries = [request.query] if isinstance(request.query, str) else request.query
        _check_queries(queries)
        query = Query(
            queries=queries,
            max_num_results=request.max_num_results,
            filters=request.filters,
            ranking_options=request.ranking_options,
        )
        hits = await self.find(context, [vector_store_id], query)
        results = [
            SearchResult(
                file_id=hit.file_id,
                filename=hit.filename,
                score=hit.score,
                attributes=hit.attributes,
                content=[TextContent(hit.text)],
            )
            for hit in hits
        ]
        return SearchResultsPage(search_query=queries, data=results)

    def for_owner(self, context: RequestContext) -> FileSearch:
        """Return the search function of the hosted tool for the owner of a request."""

        async def search(tool: FileSearchTool, query: str) -> list[JSONObject]:
            asked = Query(
                queries=[query],
                max_num_results=tool.max_num_results or _TOOL_LIMIT,
                filters=None if tool.filters is UNSET else tool.filters,
                ranking_options=None if tool.ranking_options is UNSET else tool.ranking_options,
            )
            hits = await self.find(context, tool.vector_store_ids, asked)
            return [{name: getattr(hit, name) for name in hit.__struct_fields__} for hit in hits]

        return search

    async def check(self, owner: str, tools: Sequence[Tool]) -> None:
        """Validate the file search tools of a request, before its response begins.

        Raises:
            NotFound: The owner has no such vector store; `param` names the tool.
            InvalidRequest: A vector store has expired, or filters or options are invalid; `param` names the
                tool.
        """
        for position, tool in enumerate(tools):
            if isinstance(tool, FileSearchTool):
                at = f"tools[{position}]"
                decode_filter(None if tool.filters is UNSET else tool.filters, f"{at}.filters")
                options = None if tool.ranking_options is UNSET else tool.ranking_options
                decode_ranking(options, f"{at}.ranking_options")
                try:
                    await self._stores(owner, tool.vector_store_ids)
                except (NotFound, InvalidRequest) as error:
                    error.param = f"{at}.vector_store_ids"
                    raise

    async def find(self, context: RequestContext, vector_store_ids: Sequence[str], query: Query) -> list[Hit]:
        """Return the best chunks of these vector stores, the best first.

        Raises:
            NotFound: The owner has no such vector store.
            InvalidRequest: A vector store has expired, or filters or options are invalid.
        """
        wanted = decode_filter(query.filters)
        ranking = decode_ranking(query.ranking_options)
        stores = await self._stores(context.owner, vector_store_ids)
        ids = [store.id for store in stores]
        allowed = None
        if wanted is not None:
            files = await self._store.attachments.named(ids)
            passed = [file for file in files if wanted.matches(decode_attributes(file.attributes))]
            allowed = {
                each: [file.file_id for file in passed if file.vector_store_id == each] for each in ids
            }
        found = await self._retrieval.search(
            [target_of(store) for store in stores],
            query.queries,
            limit=query.max_num_results or _LIMIT,
            allowed=allowed,
            ranking=ranking,
            context=context,
        )
        await self._store.vector_stores.mark_used(stores)
        names = await self._names(ids, {hit.file_id for hit in found})
        return [
            Hit(
                vector_store_id=hit.vector_store_id,
                file_id=hit.file_id,
                filename=names[key].filename,
                score=hit.score,
                text=hit.text,
                attributes=decode_attributes(names[key].attributes),
            )
            for hit in found
            if (key := (hit.vector_store_id, hit.file_id)) in names  # The file may just have been detached.
        ]

    async def _stores(self, owner: str, vector_store_ids: Sequence[str]) -> list[StoredVectorStore]:
        stores = await self._store.vector_stores.find(owner, list(dict.fromkeys(vector_store_ids)))
        for store in stores:
            if store.expired:
                raise InvalidRequest(
                    f"The vector store '{store.id}' has expired.", code="vector_store_expired"
                )
        return stores

    async def _names(self, ids: Sequence[str], file_ids: set[str]) -> Mapping[tuple[str, str], NamedFile]:
        files = await self._store.attachments.named(ids, file_ids) if file_ids else []
        return {(file.vector_store_id, file.file_id): file for file in files}


def _check_queries(queries: Sequence[str]) -> None:
    _check_number(len(queries), _MAX_QUERIES, "queries")
    for query in queries:
        _check_number(len(query), _MAX_QUERY, "characters")


def _check_number(number: int, most: int, noun: str) -> None:
    if not 1 <= number <= most:
        raise InvalidRequest(
            f"Invalid 'query': expected between 1 and {most} {noun}, but got {number} instead.",
            code="invalid_value",
            param="query",
        )
