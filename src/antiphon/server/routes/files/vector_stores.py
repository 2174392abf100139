"""Routes of vector stores, their files, and batches of files."""

from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.decode.explain import mutually_exclusive, unsupported_value
from antiphon.server.describe.operation import PAGE, TEXT, ApiRoute, Operation
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, decoded_body, owner_of, page_query, path_id, query_text
from antiphon.server.edge.state import services_of
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.vector_stores import (
    CreateFileBatch,
    CreateVectorStore,
    CreateVectorStoreFile,
    DeletedVectorStore,
    DeletedVectorStoreFile,
    FileBatch,
    FileContentPage,
    FileStatus,
    SearchResultsPage,
    SearchVectorStore,
    UpdateVectorStore,
    UpdateVectorStoreFile,
    VectorStore,
    VectorStoreFile,
)

_CREATE_BODY = BodyDecoder(CreateVectorStore)
_UPDATE_BODY = BodyDecoder(UpdateVectorStore)
_SEARCH_BODY = BodyDecoder(SearchVectorStore)
_ADD_FILE_BODY = BodyDecoder(CreateVectorStoreFile)
_UPDATE_FILE_BODY = BodyDecoder(UpdateVectorStoreFile)
_ADD_BATCH_BODY = BodyDecoder(CreateFileBatch)


async def create(request: Request) -> Response:
    """Create a vector store; the body may be empty."""
    body = await decoded_body(request, _CREATE_BODY, default=b"{}")
    stores = services_of(request).files.vector_stores
    return json_answer(await stores.create(context_of(request), body))


async def page(request: Request) -> Response:
    """List vector stores."""
    return json_answer(
        await services_of(request).files.vector_stores.page(owner_of(request), _query(request))
    )


async def get(request: Request) -> Response:
    """Get a vector store."""
    return json_answer(await services_of(request).files.vector_stores.get(owner_of(request), _id(request)))


async def update(request: Request) -> Response:
    """Update a vector store."""
    body = await decoded_body(request, _UPDATE_BODY)
    return json_answer(
        await services_of(request).files.vector_stores.update(owner_of(request), _id(request), body)
    )


async def delete(request: Request) -> Response:
    """Delete a vector store."""
    return json_answer(await services_of(request).files.vector_stores.delete(owner_of(request), _id(request)))


async def search(request: Request) -> Response:
    """Search a vector store."""
    body = await decoded_body(request, _SEARCH_BODY)
    context = context_of(request)
    return json_answer(await services_of(request).files.search.search(context, _id(request), body))


async def add_file(request: Request) -> Response:
    """Add a file to a vector store."""
    body = await decoded_body(request, _ADD_FILE_BODY)
    files = services_of(request).files.attached_files
    return json_answer(await files.add(context_of(request), _id(request), body))


async def page_of_files(request: Request) -> Response:
    """List the files of a vector store."""
    files = services_of(request).files.attached_files
    query, status = _query(request), _status(request)
    return json_answer(await files.page(owner_of(request), _id(request), query, status))


async def get_file(request: Request) -> Response:
    """Get the status of a file in a vector store."""
    files = services_of(request).files.attached_files
    return json_answer(await files.get(owner_of(request), _id(request), path_id(request, "file_id")))


async def update_file(request: Request) -> Response:
    """Replace the attributes of a file in a vector store."""
    body = await decoded_body(request, _UPDATE_FILE_BODY)
    files = services_of(request).files.attached_files
    file_id = path_id(request, "file_id")
    return json_answer(await files.update(owner_of(request), _id(request), file_id, body))


async def remove_file(request: Request) -> Response:
    """Remove a file from a vector store."""
    files = services_of(request).files.attached_files
    return json_answer(await files.remove(owner_of(request), _id(request), path_id(request, "file_id")))


async def content_of_file(request: Request) -> Response:
    """Get the text of a file in a vector store."""
    files = services_of(request).files.attached_files
    return json_answer(await files.content(owner_of(request), _id(request), path_id(request, "file_id")))


async def add_batch(request: Request) -> Response:
    """Add a batch of files to a vector store."""
    body = await decoded_body(request, _ADD_BATCH_BODY)
    files = services_of(request).files.attached_files
    return json_answer(await files.add_batch(context_of(request), _id(request), body))


async def get_batch(request: Request) -> Response:
    """Get the status of a batch."""
    files = services_of(request).files.attached_files
    return json_answer(await files.get_batch(owner_of(request), _id(request), path_id(request, "batch_id")))


async def cancel_batch(request: Request) -> Response:
    """Cancel a batch."""
    files = services_of(request).files.attached_files
    batch_id = path_id(request, "batch_id")
    return json_answer(await files.cancel_batch(owner_of(request), _id(request), batch_id))


async def page_of_batch(request: Request) -> Response:
    """List the files of a batch."""
    files = services_of(request).files.attached_files
    batch = (_id(request), path_id(request, "batch_id"))
    query, status = _query(request), _status(request)
    return json_answer(await files.batch_page(owner_of(request), batch, query, status))


_STORES = "/v1/vector_stores"
_STORE = _STORES + "/{vector_store_id}"
_FILE = _STORE + "/files/{file_id}"
_BATCH = _STORE + "/file_batches/{batch_id}"

_PAGE = PAGE | {"before": TEXT}
_FILES = _PAGE | {"filter": {"enum": list(get_args(FileStatus))}}

routes = [
    ApiRoute("POST", _STORES, create, Operation("Create a vector store", VectorStore, CreateVectorStore)),
    ApiRoute("GET", _STORES, page, Operation("List vector stores", Page[VectorStore], query=_PAGE)),
    ApiRoute("GET", _STORE, get, Operation("Get a vector store", VectorStore)),
    ApiRoute("POST", _STORE, update, Operation("Update a vector store", VectorStore, UpdateVectorStore)),
    ApiRoute("DELETE", _STORE, delete, Operation("Delete a vector store", DeletedVectorStore)),
    ApiRoute(
        "POST",
        _STORE + "/search",
        search,
        Operation("Search a vector store", SearchResultsPage, SearchVectorStore),
    ),
    ApiRoute(
        "POST",
        _STORE + "/files",
        add_file,
        Operation("Add a file to a vector store", VectorStoreFile, CreateVectorStoreFile),
    ),
    ApiRoute(
        "GET",
        _STORE + "/files",
        page_of_files,
        Operation("List the files of a vector store", Page[VectorStoreFile], query=_FILES),
    ),
    ApiRoute("GET", _FILE, get_file, Operation("Get the status of a file", VectorStoreFile)),
    ApiRoute(
        "POST",
        _FILE,
        update_file,
        Operation("Replace the attributes of a file", VectorStoreFile, UpdateVectorStoreFile),
    ),
    ApiRoute(
        "DELETE", _FILE, remove_file, Operation("Remove a file from a vector store", DeletedVectorStoreFile)
    ),
    ApiRoute(
        "GET", _FILE + "/content", content_of_file, Operation("Get the text of a file", FileContentPage)
    ),
    ApiRoute(
        "POST",
        _STORE + "/file_batches",
        add_batch,
        Operation("Add a batch of files to a vector store", FileBatch, CreateFileBatch),
    ),
    ApiRoute("GET", _BATCH, get_batch, Operation("Get the status of a batch", FileBatch)),
    ApiRoute("POST", _BATCH + "/cancel", cancel_batch, Operation("Cancel a batch", FileBatch)),
    ApiRoute(
        "GET",
        _BATCH + "/files",
        page_of_batch,
        Operation("List the files of a batch", Page[VectorStoreFile], query=_FILES),
    ),
]


def _id(request: Request) -> str:
    return path_id(request, "vector_store_id")


def _query(request: Request) -> PageQuery:
    """Return the page of a list; these lists also have `before`."""
    query = page_query(request)
    before = query_text(request, "before")
    if before is not None and query.after is not None:
        raise mutually_exclusive("after", "before", param="before")
    return msgspec.structs.replace(query, before=before)


def _status(request: Request) -> FileStatus | None:
    given = request.query_params.get("filter")
    for status in get_args(FileStatus):
        if given == status:
            found: FileStatus = status
            return found
    if given is None:
        return None
    raise unsupported_value("filter", given, get_args(FileStatus))
