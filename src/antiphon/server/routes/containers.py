"""Routes of containers of the code interpreter, and of their files."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.server.describe.operation import PAGE, TEXT, ApiRoute, Operation, object_with
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import (
    context_of,
    decoded_body,
    owner_of,
    page_query,
    path_id,
    query_text,
)
from antiphon.server.edge.state import services_of
from antiphon.server.edge.uploads import read_named_file
from antiphon.service.files.containers import Containers
from antiphon.wire.containers import (
    Container,
    ContainerFile,
    CreateContainer,
    CreateContainerFile,
    DeletedContainer,
    DeletedContainerFile,
)
from antiphon.wire.lists import Page

_CREATE_BODY = BodyDecoder(CreateContainer)
_FILE_BODY = BodyDecoder(CreateContainerFile)


async def create(request: Request) -> Response:
    """Create a container."""
    body = await decoded_body(request, _CREATE_BODY)
    return json_answer(await _containers(request).create(context_of(request), body))


async def page(request: Request) -> Response:
    """List containers."""
    query, name = page_query(request), query_text(request, "name")
    return json_answer(await _containers(request).page(owner_of(request), query, name))


async def get(request: Request) -> Response:
    """Get a container."""
    return json_answer(await _containers(request).get(context_of(request), _id(request)))


async def delete(request: Request) -> Response:
    """Delete a container with its files."""
    return json_answer(await _containers(request).delete(owner_of(request), _id(request)))


async def create_file(request: Request) -> Response:
    """Add a file to a container: a form with its content, or JSON with the ID of an uploaded file."""
    containers, context, container_id = _containers(request), context_of(request), _id(request)
    if request.headers.get("content-type", "").startswith("multipart/"):
        async with containers.folder.receive() as upload:
            name = await read_named_file(request, upload)
            return json_answer(await containers.add_upload(context, container_id, upload, name))
    body = await decoded_body(request, _FILE_BODY)
    return json_answer(await containers.add_copy(context, container_id, body.file_id))


async def file_page(request: Request) -> Response:
    """List the files of a container."""
    query = page_query(request)
    return json_answer(await _containers(request).file_page(context_of(request), _id(request), query))


async def get_file(request: Request) -> Response:
    """Get the description of a file of a container."""
    found = await _containers(request).file(context_of(request), _id(request), _file_id(request))
    return json_answer(found)


async def file_content(request: Request) -> Response:
    """Get the content of a file of a container."""
    containers = _containers(request)
    path, name = await containers.content(context_of(request), _id(request), _file_id(request))
    # As a download: a browser would run scripts in a page with the origin of this server.
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=name,
        headers={"x-content-type-options": "nosniff"},
    )


async def delete_file(request: Request) -> Response:
    """Delete a file of a container."""
    done = await _containers(request).delete_file(context_of(request), _id(request), _file_id(request))
    return json_answer(done)


_CONTAINER = "/v1/containers/{container_id}"
_FILES = _CONTAINER + "/files"
_FILE = _FILES + "/{file_id}"
_UPLOAD = object_with(file={"type": "string", "contentMediaType": "application/octet-stream"})

routes = [
    ApiRoute("POST", "/v1/containers", create, Operation("Create a container", Container, CreateContainer)),
    ApiRoute(
        "GET",
        "/v1/containers",
        page,
        Operation("List containers", Page[Container], query=PAGE | {"name": TEXT}),
    ),
    ApiRoute("GET", _CONTAINER, get, Operation("Get a container", Container)),
    ApiRoute("DELETE", _CONTAINER, delete, Operation("Delete a container", DeletedContainer)),
    ApiRoute(
        "POST",
        _FILES,
        create_file,
        Operation("Add a file to a container", ContainerFile, _UPLOAD, is_form=True),
    ),
    ApiRoute(
        "GET",
        _FILES,
        file_page,
        Operation("List the files of a container", Page[ContainerFile], query=PAGE),
    ),
    ApiRoute("GET", _FILE, get_file, Operation("Get the description of a container's file", ContainerFile)),
    ApiRoute("DELETE", _FILE, delete_file, Operation("Delete a container's file", DeletedContainerFile)),
    ApiRoute(
        "GET",
        _FILE + "/content",
        file_content,
        Operation("Get a container file's content", is_file=True),
    ),
]


def _containers(request: Request) -> Containers:
    return services_of(request).files.containers


def _id(request: Request) -> str:
    return path_id(request, "container_id")


def _file_id(request: Request) -> str:
    return path_id(request, "file_id")
