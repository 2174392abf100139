"""Sessions of browsers: encrypted cookies, and the tokens of forms."""

import hmac
import secrets
import time

import msgspec
from msgspec import Struct

from antiphon.errors import AntiphonError
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.state import Headers
from antiphon.service.responses.sealing import Sealing

LIFETIME = 12 * 3600
"""Seconds from which on a person has to sign in again."""
_OWNER = "session of the viewer"
"""Owner in the encrypted data; the spaces set it apart from owners of keys."""
_FORM = "-form"
"""End of the name of the cookie of a browser that has not signed in."""
_LONGEST = 4096

_encode = msgspec.json.Encoder().encode


class Session(Struct, frozen=True):
    """A browser: its secret token, and the hash of its API key if it has signed in."""

    token: str
    """The token that every form of the session contains."""
    until: float
    """Unix time of the end."""
    key_hash: str | None = None


_decode = msgspec.json.Decoder(Session).decode


class PageRefused(AntiphonError):
    """A form without the token of its session, or a page for the operator alone."""

    status = 403
    type = "invalid_request_error"


def new_session(key_hash: str | None = None) -> Session:
    """Return a new session, signed in with a key or not."""
    return Session(secrets.token_urlsafe(24), time.time() + LIFETIME, key_hash)


def session_of(headers: Headers, sealing: Sealing) -> Session | None:
    """Return the session of a request; None without one, or after its end."""
    name = _name(headers)
    return _opened(headers, name, sealing) or _opened(headers, name + _FORM, sealing)


def _opened(headers: Headers, name: str, sealing: Sealing) -> Session | None:
    text = _cookie(headers, name)
    content = None if text is None else sealing.open(_OWNER, text)
    if content is None:
        return None
    try:
        session = _decode(content)
    except msgspec.DecodeError:  # Another version of the server has encrypted it.
        return None
    return session if time.time() < session.until else None


def cookie_of(session: Session, headers: Headers, sealing: Sealing) -> str:
    """Return the `Set-Cookie` header of a session."""
    # Requests that other sites cause have no cookie. Their answers must not replace that of a session.
    name = _name(headers) + (_FORM if session.key_hash is None else "")
    return _set_cookie(name, sealing.seal(_OWNER, _encode(session)), LIFETIME, headers)


def no_cookie(headers: Headers) -> str:
    """Return the `Set-Cookie` header that ends a session."""
    return _set_cookie(_name(headers), "", 0, headers)


def check_token(session: Session | None, token: str) -> None:
    """Check the token of a form.

    Raises:
        PageRefused: It isn't the token of the session.
    """
    if session is None or not hmac.compare_digest(session.token.encode(), token.encode()):
        # Another site may have sent the form.
        raise PageRefused(
            "The form does not belong to this session, or the session has ended. Reload the page and send "
            "the form again.",
            code="form_rejected",
        )


def is_secure(headers: Headers) -> bool:
    """Return whether a proxy in front of the server says that the browser uses HTTPS."""
    return headers.get(b"x-forwarded-proto", b"").lower() == b"https"


def _name(headers: Headers) -> str:
    """Return the name of the cookie: ports of one host share cookies."""
    _, _, port = headers.get(b"host", b"").decode("latin-1").rpartition(":")
    return f"antiphon-{port}" if port.isascii() and port.isdigit() else "antiphon"


def _cookie(headers: Headers, name: str) -> str | None:
    given = headers.get(b"cookie", b"")
    if not given:
        return None
    prefix = f"{name}="
    for part in given.decode("latin-1").split(";"):
        name_and_value = part.strip()
        if name_and_value.startswith(prefix):
            value = name_and_value.removeprefix(prefix)
            return value if len(value) <= _LONGEST else None
    return None


def _set_cookie(name: str, value: str, seconds: int, headers: Headers) -> str:
    secure = "; Secure" if is_secure(headers) else ""
    # Browsers send the cookie to the pages only, and never to the API.
    return f"{name}={value}; Path={PAGES}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
