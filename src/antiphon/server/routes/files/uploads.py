"""Routes of uploads in parts."""

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.server.describe.operation import ApiRoute, Operation, object_with
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, decoded_body, owner_of, path_id
from antiphon.server.edge.state import services_of
from antiphon.server.edge.uploads import read_part
from antiphon.service.files.uploads import MAX_PART_BYTES, Uploads
from antiphon.wire.uploads import CompleteUpload, CreateUpload, Upload, UploadPart

_CREATE_BODY = BodyDecoder(CreateUpload)
_COMPLETE_BODY = BodyDecoder(CompleteUpload)


async def create(request: Request) -> Response:
    """Begin an upload."""
    body = await decoded_body(request, _CREATE_BODY)
    return json_answer(await _uploads(request).create(context_of(request), body))


async def add_part(request: Request) -> Response:
    """Add a part to an upload."""
    uploads, context = _uploads(request), context_of(request)
    upload = await uploads.open_upload(context.owner, _id(request))
    async with uploads.folder.receive(MAX_PART_BYTES) as received:
        await read_part(request, received)
        return json_answer(await uploads.add_part(context, upload, received))


async def complete(request: Request) -> Response:
    """Join the parts of an upload to a file."""
    body = await decoded_body(request, _COMPLETE_BODY)
    return json_answer(await _uploads(request).complete(context_of(request), _id(request), body))


async def cancel(request: Request) -> Response:
    """Cancel an upload."""
    return json_answer(await _uploads(request).cancel(owner_of(request), _id(request)))


_UPLOADS = "/v1/uploads"
_UPLOAD = _UPLOADS + "/{upload_id}"
_DATA = object_with(data={"type": "string", "contentMediaType": "application/octet-stream"})

routes = [
    ApiRoute("POST", _UPLOADS, create, Operation("Begin an upload in parts", Upload, CreateUpload)),
    ApiRoute(
        "POST",
        _UPLOAD + "/parts",
        add_part,
        Operation("Add a part to an upload", UploadPart, _DATA, is_form=True),
    ),
    ApiRoute(
        "POST",
        _UPLOAD + "/complete",
        complete,
        Operation("Join the parts of an upload to a file", Upload, CompleteUpload),
    ),
    ApiRoute("POST", _UPLOAD + "/cancel", cancel, Operation("Cancel an upload", Upload)),
]


def _uploads(request: Request) -> Uploads:
    return services_of(request).files.uploads


def _id(request: Request) -> str:
    return path_id(request, "upload_id")
