"""Routes of files."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from antiphon.server.describe.operation import PAGE, TEXT, ApiRoute, Operation, object_with
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, owner_of, page_query, path_id, query_text
from antiphon.server.edge.state import services_of
from antiphon.server.edge.uploads import read_upload
from antiphon.wire.files import DeletedFile, File
from antiphon.wire.json import JSONObject
from antiphon.wire.lists import Page

_MOST = 10_000
"""Largest and default size of a page, as at api.openai.com."""


async def create(request: Request) -> Response:
    """Upload a file."""
    context = context_of(request)
    files = services_of(request).files.files
    async with files.folder.receive() as upload:
        details = await read_upload(request, upload)
        return json_answer(await files.create(context, upload, details))


async def page(request: Request) -> Response:
    """List files."""
    query = page_query(request, default=_MOST, most=_MOST)
    purpose = query_text(request, "purpose")
    return json_answer(await services_of(request).files.files.page(owner_of(request), query, purpose))


async def get(request: Request) -> Response:
    """Get the description of a file."""
    return json_answer(
        await services_of(request).files.files.get(owner_of(request), path_id(request, "file_id"))
    )


async def content(request: Request) -> Response:
    """Get the content of a file."""
    path, filename = await services_of(request).files.files.content(
        owner_of(request), path_id(request, "file_id")
    )
    # As a download: a browser would run scripts in an uploaded page with the origin of this server.
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=filename,
        headers={"x-content-type-options": "nosniff"},
    )


async def delete(request: Request) -> Response:
    """Delete a file."""
    return json_answer(
        await services_of(request).files.files.delete(owner_of(request), path_id(request, "file_id"))
    )


_FILE = "/v1/files/{file_id}"
_UPLOAD = object_with(
    file={"type": "string", "contentMediaType": "application/octet-stream"}, purpose={"type": "string"}
)
_LIMIT: JSONObject = {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _MOST}

routes = [
    ApiRoute("POST", "/v1/files", create, Operation("Upload a file", File, _UPLOAD, is_form=True)),
    ApiRoute(
        "GET",
        "/v1/files",
        page,
        Operation("List files", Page[File], query=PAGE | {"limit": _LIMIT, "purpose": TEXT}),
    ),
    ApiRoute("GET", _FILE, get, Operation("Get a file's description", File)),
    ApiRoute("DELETE", _FILE, delete, Operation("Delete a file", DeletedFile)),
    ApiRoute("GET", _FILE + "/content", content, Operation("Get a file's content", is_file=True)),
]
