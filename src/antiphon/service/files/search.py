"""Searches in vector stores, for callers and for the hosted tool."""

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
"""How many results there are where a request does not say it (OpenAI's description)."""
_TOOL_LIMIT = 20
"""How many the hosted tool takes (echoed by api.openai.com in recordings)."""
_MAX_QUERIES = 20
_MAX_QUERY = 10_000
"""Characters of one query."""


class Hit(Struct, frozen=True, kw_only=True):
    """A chunk that answers a query; `score` lies between 0 and 1."""

    vector_store_id: str
    file_id: str
    filename: str
    score: float
    text: str
    attributes: Attributes


class Query(Struct, frozen=True, kw_only=True):
    """What is searched, in a request's own words."""

    queries: Sequence[str]
    max_num_results: int | None
    filters: JSON
    ranking_options: JSON


class Search:
    """Finds chunks in the vector stores of an owner."""

    def __init__(self, store: Store, retrieval: Retrieval) -> None:
        self._store = store
        self._retrieval = retrieval

    async def search(
        self, context: RequestContext, vector_store_id: str, request: SearchVectorStore
    ) -> SearchResultsPage:
        """Answers a search request. Raises `NotFound` and `InvalidRequest`."""
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
        """Returns the search that the hosted tool makes in the vector stores of `owner`."""

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
        """Looks whether the file searches of a request can be made, before its response begins.

        Raises `NotFound` for a store that is not there, and `InvalidRequest` for one that has expired and for
        filters and options that cannot be; the place is named.
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
        """Returns the best chunks of these vector stores, the best first.

        Raises `NotFound` for a store that is not there, and `InvalidRequest` for one that has expired and for
        filters and options that cannot be.
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
            if (key := (hit.vector_store_id, hit.file_id)) in names  # it may just have been taken out
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
    if not 1 <= len(queries) <= _MAX_QUERIES:
        raise InvalidRequest(
            f"Invalid 'query': expected between 1 and {_MAX_QUERIES} queries, but got {len(queries)} "
            "instead.",
            code="invalid_value",
            param="query",
        )
    for query in queries:
        if not 1 <= len(query) <= _MAX_QUERY:
            raise InvalidRequest(
                f"Invalid 'query': expected between 1 and {_MAX_QUERY} characters, but got {len(query)} "
                "instead.",
                code="invalid_value",
                param="query",
            )
