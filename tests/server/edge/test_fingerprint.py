from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.server.edge.idempotency import Fingerprint
from tests.server.asgi import scope

MULTIPART = "multipart/form-data; boundary="


def fingerprint(*pieces: bytes, path: str = "/v1/x", query: str = "", **headers: str) -> tuple[bytes, int]:
    named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    made = Fingerprint(scope("POST", path, query, named))
    for piece in pieces:
        made.feed(piece)
    return made.digest(), made.size


def form(boundary: str, text: bytes = b"hello") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head.encode() + text + f"\r\n--{boundary}--\r\n".encode()


def test_every_byte_of_a_json_body_counts() -> None:
    assert fingerprint(b'{"a": 1}') == fingerprint(b'{"a"', b"", b": 1}")
    assert fingerprint(b'{"a": 1}')[1] == 8
    different = [b'{"a": 1}', b'{"a": 2}', b'{"a":1}', b""]
    assert len({fingerprint(body) for body in different}) == 4


def test_the_url_counts_and_the_headers_do_not() -> None:
    assert fingerprint(b"{}") == fingerprint(b"{}", content_type="application/json", x_request_id="1")
    urls = [fingerprint(b"{}"), fingerprint(b"{}", path="/v1/y"), fingerprint(b"{}", query="include=a")]
    assert len(set(urls)) == 3


def test_two_attempts_at_a_form_have_different_boundaries() -> None:
    one = fingerprint(form("abc123"), content_type=MULTIPART + "abc123")
    assert one == fingerprint(form("0xyz"), content_type=MULTIPART + "0xyz")
    assert one != fingerprint(form("0xyz", b"hullo"), content_type=MULTIPART + "0xyz")
    assert one != fingerprint(form("abc123"))


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart"]
)
def test_a_form_without_a_boundary_is_a_body_like_others(content_type: str) -> None:
    assert fingerprint(form("abc"), content_type=content_type) == fingerprint(form("abc"))


@given(
    st.text("ab-", min_size=1, max_size=4),
    st.lists(st.binary(max_size=6) | st.text("ab-\r\n", max_size=6).map(str.encode), max_size=8),
)
def test_it_does_not_matter_how_a_form_is_cut_into_pieces(boundary: str, pieces: list[bytes]) -> None:
    content_type = MULTIPART + boundary
    assert fingerprint(*pieces, content_type=content_type) == fingerprint(
        b"".join(pieces), content_type=content_type
    )
