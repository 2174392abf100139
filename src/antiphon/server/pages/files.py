"""Pages of files and vector stores."""

from starlette.requests import Request

from antiphon.errors import AntiphonError
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import context_of, owner_of, path_id
from antiphon.server.edge.state import services_of, store_of
from antiphon.server.pages.frame import Shown, page
from antiphon.server.pages.lists import first_of, next_of, query_of
from antiphon.service.files.search import Query
from antiphon.viewer.views import AttachedFile, FilesView, Passage, VectorStoresView, VectorStoreView

_MOST_QUERY = 1000


async def files(request: Request) -> Shown:
    """Show the list of files."""
    found = await services_of(request).files.files.page(owner_of(request), query_of(request), None)
    following = next_of(request, found.last_id, has_more=found.has_more)
    return Shown("Files", FilesView(data=found.data, next=following, first=first_of(request)))


async def vector_stores(request: Request) -> Shown:
    """Show the list of vector stores."""
    found = await services_of(request).files.vector_stores.page(owner_of(request), query_of(request))
    following = next_of(request, found.last_id, has_more=found.has_more)
    return Shown("Vector stores", VectorStoresView(data=found.data, next=following, first=first_of(request)))


async def vector_store(request: Request) -> Shown:
    """Show a vector store with its files, and with the results of a search."""
    owner, store_id = owner_of(request), path_id(request, "vector_store_id")
    services = services_of(request).files
    store = await services.vector_stores.get(owner, store_id)
    attached = await services.attached_files.page(owner, store_id, query_of(request), None)
    named = await store_of(request).attachments.named([store_id], {file.id for file in attached.data})
    names = {each.file_id: each.filename for each in named}
    view = VectorStoreView(
        store=store,
        files=[AttachedFile(filename=names.get(file.id, file.id), file=file) for file in attached.data],
        next=next_of(request, attached.last_id, has_more=attached.has_more),
        first=first_of(request),
        query=request.query_params.get("q", "")[:_MOST_QUERY],
        passages=[],
    )
    if view.query:
        try:
            view.passages = await _passages(request, store_id, view.query)
        except AntiphonError as error:
            view.problem = error.message
    return Shown(store.name or store_id, view)


async def _passages(request: Request, store_id: str, query: str) -> list[Passage]:
    search = services_of(request).files.search
    hits = await search.find(
        context_of(request),
        [store_id],
        Query(queries=[query], max_num_results=None, filters=None, ranking_options=None),
    )
    return [
        Passage(
            file_id=hit.file_id,
            filename=hit.filename,
            score=hit.score,
            text=hit.text,
            attributes=dict(hit.attributes),
        )
        for hit in hits
    ]


routes = [
    *page(f"{PAGES}/files", "files.html", files),
    *page(f"{PAGES}/vector_stores", "vector_stores.html", vector_stores),
    *page(f"{PAGES}/vector_stores/{{vector_store_id}}", "vector_store.html", vector_store),
]
