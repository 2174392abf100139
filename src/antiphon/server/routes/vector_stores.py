"""Routes of vector stores, their files, and batches of files."""

from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode import bodies
from antiphon.decode.explain import mutually_exclusive, unsupported_value
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, owner_of, page_query, path_id, query_text, read_body
from antiphon.server.edge.state import services_of
from antiphon.wire.lists import PageQuery
from antiphon.wire.vector_stores import FileStatus


async def create(request: Request) -> Response:
    """Create a vector store; the body may be empty."""
    body = bodies.create_vector_store.decode(await read_body(request) or b"{}")
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
    body = bodies.update_vector_store.decode(await read_body(request))
    return json_answer(
        await services_of(request).files.vector_stores.update(owner_of(request), _id(request), body)
    )


async def delete(request: Request) -> Response:
    """Delete a vector store."""
    return json_answer(await services_of(request).files.vector_stores.delete(owner_of(request), _id(request)))


async def search(request: Request) -> Response:
    """Search a vector store."""
    body = bodies.search_vector_store.decode(await read_body(request))
    context = context_of(request)
    return json_answer(await services_of(request).files.search.search(context, _id(request), body))


async def add_file(request: Request) -> Response:
    """Add a file to a vector store."""
    body = bodies.create_vector_store_file.decode(await read_body(request))
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
    body = bodies.update_vector_store_file.decode(await read_body(request))
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
    body = bodies.create_file_batch.decode(await read_body(request))
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


_STORE = "/v1/vector_stores/{vector_store_id}"
_FILE = _STORE + "/files/{file_id}"
_BATCH = _STORE + "/file_batches/{batch_id}"

routes = [
    Route("/v1/vector_stores", create, methods=["POST"]),
    Route("/v1/vector_stores", page, methods=["GET"]),
    Route(_STORE, get, methods=["GET"]),
    Route(_STORE, update, methods=["POST"]),
    Route(_STORE, delete, methods=["DELETE"]),
    Route(_STORE + "/search", search, methods=["POST"]),
    Route(_STORE + "/files", add_file, methods=["POST"]),
    Route(_STORE + "/files", page_of_files, methods=["GET"]),
    Route(_FILE, get_file, methods=["GET"]),
    Route(_FILE, update_file, methods=["POST"]),
    Route(_FILE, remove_file, methods=["DELETE"]),
    Route(_FILE + "/content", content_of_file, methods=["GET"]),
    Route(_STORE + "/file_batches", add_batch, methods=["POST"]),
    Route(_BATCH, get_batch, methods=["GET"]),
    Route(_BATCH + "/cancel", cancel_batch, methods=["POST"]),
    Route(_BATCH + "/files", page_of_batch, methods=["GET"]),
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
