"""Parts of a request: body, query parameters, owner, recording headers."""

import time
from typing import TypeVar, get_args

import msgspec
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from antiphon.decode.bodies import BodyDecoder
from antiphon.decode.bounds import FLAT, LONG, check_structure
from antiphon.decode.explain import unsupported_value
from antiphon.decode.unknown import unknown_parameter
from antiphon.dialects.llama_stack import AGENTS, DIALECTS, OPENAI, Dialect, era_of, is_theirs
from antiphon.engine.request_context import DEFAULT_SCOPE, LOCAL_OWNER, RequestContext
from antiphon.engine.slices import in_thread
from antiphon.errors import CallsItself, InvalidRequest, RequestTooLarge
from antiphon.ids import INSTANCE, INSTANCE_HEADER, new_id
from antiphon.server.edge.state import Headers, headers_of, request_state, server_state
from antiphon.settings.schema import Mode
from antiphon.wire.lists import Order, PageQuery
from antiphon.wire.responses import Include

T = TypeVar("T", bound=msgspec.Struct)

_MAX_ID = 256
_MAX_DIGITS = 9
_MAX_SCOPE = 1000
_PROVIDER_DATA = (b"x-ogx-provider-data", b"x-llamastack-provider-data")
"""Headers of llama-stack's clients with JSON that contains the ID of a test."""
_RECORDING = b"x-antiphon-recording"
_FAULT = b"x-antiphon-fault"
_SCOPE = b"x-antiphon-scope"
_ABOUT_CALLS = frozenset({_SCOPE, *_PROVIDER_DATA, _RECORDING, _FAULT})
"""Headers about model and tool calls, which most requests don't have."""
_INSTANCE = INSTANCE.encode()
_INSTANCE_HEADER = INSTANCE_HEADER.encode()
_JSON = b"application/json"
_IDENTITY = b"identity"


def owner_of(connection: HTTPConnection) -> str:
    """Return the owner whose objects the client may see."""
    caller = request_state(connection.scope).caller
    return LOCAL_OWNER if caller is None else caller.owner


def key_name(connection: HTTPConnection) -> str | None:
    """Return the name of the API key, for work after the request; None without a stored key."""
    caller = request_state(connection.scope).caller
    return None if caller is None else caller.name


def is_llama_stack(request: HTTPConnection) -> bool:
    """Return whether a client of llama-stack sent a request, by user agent or header."""
    headers = headers_of(request.scope)
    agent = headers.get(b"user-agent", b"")
    return agent.startswith(AGENTS) or any(map(is_theirs, headers))


def dialect(connection: HTTPConnection) -> Dialect:
    """Return the dialect of a request: the one in the settings, or the one that its client expects."""
    state = request_state(connection.scope)
    if state.dialect is None:
        state.dialect = server_state(connection).dialect
    if state.dialect is None:
        theirs = is_llama_stack(connection)
        state.dialect = DIALECTS[era_of(headers_of(connection.scope))] if theirs else OPENAI
    return state.dialect


def has_openai_events(connection: HTTPConnection) -> bool:
    """Return whether the client of a request receives events as api.openai.com sends them."""
    return dialect(connection) is OPENAI and server_state(connection).reasoning_events == "openai"


async def begin_stream(connection: HTTPConnection) -> None:
    """Count the response among the client's streams until it has ended.

    Raises:
        RateLimited: The client has as many streams as its key allows.
    """
    caller = request_state(connection.scope).caller
    if caller is not None:
        await caller.begin_stream()


def refuse_own(connection: HTTPConnection) -> None:
    """Reject a request that this server sent, through a URL that leads back to it.

    Raises:
        CallsItself: This server sent the request.
    """
    if headers_of(connection.scope).get(_INSTANCE_HEADER) == _INSTANCE:
        raise CallsItself


def context_of(connection: HTTPConnection) -> RequestContext:
    """Return the context of a request, whose record becomes its observer."""
    refuse_own(connection)
    server, request = server_state(connection), request_state(connection.scope)
    headers = request.headers
    scope, mode, faults = DEFAULT_SCOPE, None, None
    if not _ABOUT_CALLS.isdisjoint(headers):
        if not server.recording_header:
            _refuse_steering(headers)
        scope, mode, faults = _scope(headers), _mode(headers), _text(headers, _FAULT)
    request.record.scope = scope
    clock, ids = (time.time, new_id) if server.freeze is None else server.freeze.begin(scope)
    caller = request.caller
    owner = LOCAL_OWNER if caller is None else caller.owner
    return RequestContext(
        owner=owner,
        scope=scope,
        mode=mode,
        faults=faults,
        clock=clock,
        ids=ids,
        spend=None if caller is None else caller.spend,
        seal=server.services.sealing,
        observer=request.record,
        behavior=dialect(connection),
        key=None if caller is None else caller.name,
    )


async def read_body(request: Request) -> bytes:
    """Return the complete JSON body.

    Raises:
        RequestTooLarge: The body is over the limit, or has too many values.
        Overloaded: All incomplete bodies together are over their limit.
        InvalidRequest: The body has another media type, is compressed, or is nested too deeply.
    """
    headers = headers_of(request.scope)
    media_type = headers.get(b"content-type", _JSON)
    if media_type != _JSON:
        _check_media_type(media_type.decode("latin-1"))
    encoding = headers.get(b"content-encoding", _IDENTITY)
    if encoding != _IDENTITY:
        raise InvalidRequest(
            f"Unsupported content encoding: '{encoding[:100].decode('latin-1')}'. "
            "Send the body uncompressed.",
            code="unsupported_content_encoding",
        )
    server = server_state(request)
    limit, incomplete = server.max_body_bytes, server.incomplete
    if int(headers.get(b"content-length", 0)) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size, counted, more = 0, 0, True
    try:
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece = message.get("body", b"")
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            more = message.get("more_body", False)
            if more:
                counted = size
                incomplete.add(len(piece), limit)
    finally:
        incomplete.size -= counted
    body = b"".join(pieces)
    if size > FLAT:
        await check_structure(body)
    return body


async def decoded_body(request: Request, decoder: BodyDecoder[T], *, default: bytes = b"") -> T:
    """Return the decoded JSON body; `default` replaces an empty one.

    Raises:
        InvalidRequest: The body is invalid, or has unknown fields that the server doesn't ignore.
    """
    body = await read_body(request) or default
    if len(body) > LONG:
        return await in_thread(lambda: decode(request, decoder, body))
    return decode(request, decoder, body)


def decode(connection: HTTPConnection, decoder: BodyDecoder[T], body: bytes) -> T:
    """Return the decoded body of a request or a frame. A thread decodes a long one.

    Raises:
        InvalidRequest: The body is invalid, or has unknown fields that the server doesn't ignore.
    """
    decoded = decoder.decode(body, server_state(connection).max_items)
    if unknown := decoder.unknown(body):
        _ignore(connection, unknown)
    return decoded


def _ignore(connection: HTTPConnection, unknown: list[str]) -> None:
    """Note the unknown fields of a body, which the server ignores.

    Raises:
        InvalidRequest: The server rejects unknown fields.
    """
    if server_state(connection).strict:
        raise unknown_parameter(unknown)
    request_state(connection.scope).record.ignored = unknown


def path_id(request: Request, name: str) -> str:
    """Return an ID from the path.

    Raises:
        InvalidRequest: No object can have the ID.
    """
    return _checked(request.path_params[name], name)


def page_query(request: Request, *, default: int = 20, most: int = 100, order: Order = "desc") -> PageQuery:
    """Return `limit` (1 to `most`), `order` and `after` of a list request.

    Raises:
        InvalidRequest: A query parameter is invalid.
    """
    include_of(request)
    query = request.query_params
    given = query.get("order", order)
    if given not in get_args(Order):
        raise InvalidRequest(
            f"Invalid value: '{given[:100]}'. Supported values are: 'asc' and 'desc'.",
            code="invalid_value",
            param="order",
        )
    return PageQuery(
        limit=_limit(query.get("limit", str(default)), most),
        order="asc" if given == "asc" else "desc",
        after=query_text(request, "after"),
    )


def query_text(request: Request, name: str) -> str | None:
    """Return an ID or a name from the query, or None.

    Raises:
        InvalidRequest: No object can have the ID or the name.
    """
    value = request.query_params.get(name)
    return None if value is None else _checked(value, name)


def include_of(request: Request) -> frozenset[str]:
    """Return the values of `include`, in both forms of a list in a query.

    Raises:
        InvalidRequest: A value is unknown.
    """
    query = request.query_params
    include = frozenset((*query.getlist("include"), *query.getlist("include[]")))
    for value in sorted(include):
        if value not in get_args(Include):
            raise unsupported_value("include", value, get_args(Include))
    return include


def boolean(request: Request, name: str) -> bool:
    """Return a boolean query parameter; the default is false.

    Raises:
        InvalidRequest: The value isn't a boolean.
    """
    value = request.query_params.get(name, "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise InvalidRequest(
            f"Invalid type for '{name}': expected a boolean.", code="invalid_type", param=name
        )
    return value in ("true", "1")


def integer(request: Request, name: str, *, default: int) -> int:
    """Return a query parameter that is a non-negative integer.

    Raises:
        InvalidRequest: The value isn't a non-negative integer.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidRequest(
            f"Invalid type for '{name}': expected a non-negative integer.", code="invalid_type", param=name
        )
    return int(text)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes.")


def _checked(value: str, name: str) -> str:
    if len(value) > _MAX_ID:
        raise InvalidRequest(
            f"Invalid '{name}': string too long. Expected a string with maximum length {_MAX_ID}, but got a "
            f"string with length {len(value)} instead.",
            code="string_above_max_length",
            param=name,
        )
    if "\0" in value:  # PostgreSQL accepts no such text, not even in a query.
        raise InvalidRequest(
            f"Invalid '{name}': the character U+0000 is not allowed.", code="invalid_value", param=name
        )
    return value


def _check_media_type(given: str) -> None:
    media_type = given.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise InvalidRequest(
            f"Unsupported content type: '{media_type[:100]}'. This API method only accepts "
            "'application/json' requests, but you specified another header. Please try again with "
            "'content-type: application/json'.",
            code="unsupported_content_type",
        )


def _scope(headers: Headers) -> str:
    scope = _utf8(headers.get(_SCOPE, b"")) or _test_id(headers) or DEFAULT_SCOPE
    if len(scope) > _MAX_SCOPE:
        raise InvalidRequest(
            f"Invalid scope: expected at most {_MAX_SCOPE} characters, but got {len(scope)}.",
            code="string_above_max_length",
            param="x-antiphon-scope",
        )
    return scope


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _utf8(header: bytes) -> str:
    """Return a header as text: UTF-8 if it is valid, otherwise Latin-1."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


def _mode(headers: Headers) -> Mode | None:
    text = _text(headers, _RECORDING)
    if text is None:
        return None
    for mode in get_args(Mode):
        if text == mode:
            found: Mode = mode
            return found
    raise unsupported_value("x-antiphon-recording", text, get_args(Mode))


def _refuse_steering(headers: Headers) -> None:
    """Reject headers about recording and faults, which the operator has to allow."""
    for name in (_RECORDING, _FAULT):
        if name in headers:
            raise InvalidRequest(
                f"The header {name.decode()} is not allowed; the server's setting 'recording_header' "
                "allows it.",
                code="recording_header_not_allowed",
                param=name.decode(),
            )


def _test_id(headers: Headers) -> str | None:
    for name in _PROVIDER_DATA:
        if name not in headers:
            continue
        try:
            data = msgspec.json.decode(_utf8(headers[name]))
        except (msgspec.DecodeError, RecursionError):
            continue  # Other servers accept other values in this header.
        if isinstance(data, dict) and isinstance(test_id := data.get("__test_id"), str):
            return test_id
    return None


def _limit(text: str, most: int) -> int:
    try:
        limit = int(text[:20])
    except ValueError:
        raise InvalidRequest(
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            code="invalid_type",
            param="limit",
        ) from None
    if not 1 <= limit <= most:
        side, bound = ("below minimum", ">= 1") if limit < 1 else ("above maximum", f"<= {most}")
        raise InvalidRequest(
            f"Invalid 'limit': integer {side} value. Expected a value {bound}, but got {limit} instead.",
            code="integer_below_min_value" if limit < 1 else "integer_above_max_value",
            param="limit",
        )
    return limit
