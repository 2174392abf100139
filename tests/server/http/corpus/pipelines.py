"""Several requests of one connection, early responses, clients that close their sending side."""

from dataclasses import replace

from tests.server.http.corpus.case import CHUNKED, END, GET, Case, case, request

POST = request(b"POST /a HTTP/1.1", b"Content-Length: 2", body=b"ab")
EARLY = request(b"POST /early HTTP/1.1", b"Content-Length: 4")
LAST = request(b"GET /last HTTP/1.1", b"Connection: close")
EAGER = "h11 waits for a whole line before it refuses it"
TWO = "GET /, GET / -> 200 200"


def ends(
    name: str, sent: bytes | tuple[bytes, ...], ours: str, h11: str | None = None, why: str | None = None
) -> Case:
    """Return a case whose client closes its sending side."""
    return replace(case(name, sent, ours, h11, why), ends=True)


CASES = [
    case("two_requests", 2 * GET, TWO),
    case("two_requests_one_after_another", (GET, GET), TWO),
    case("twenty_requests", 20 * GET, f"{', '.join(['GET /'] * 20)} -> {' '.join(['200'] * 20)}"),
    case("posts", 3 * POST, "POST /a [ab], POST /a [ab], POST /a [ab] -> 200 200 200"),
    case("post_get_chunks", POST + GET + CHUNKED + END, "POST /a [ab], GET /, POST / -> 200 200 200"),
    case(
        "empty_lines_between",
        GET + b"\r\n\r\n" + GET,
        TWO,
        "GET / -> 200 400 closed",
        "RFC 9112 2.2: ignore them",
    ),
    case("second_in_two_reads", (GET + GET[:9], GET[9:]), TWO),
    case("head_between", request(b"HEAD / HTTP/1.1") + GET, "HEAD /, GET / -> 200 200"),
    case("stream_between", request(b"GET /stream HTTP/1.1") + GET, "GET /stream, GET / -> 200 200"),
    case("after_the_last", LAST + GET, "GET /last -> 200 closed"),
    case("after_the_last_of_three", GET + LAST + GET, "GET /, GET /last -> 200 200 closed"),
    case("nothing_of_http_after_the_last", LAST + b"\0\0", "GET /last -> 200 closed"),
    case("after_an_old_request", request(b"GET / HTTP/1.0") + GET, "GET / -> 200 closed"),
    case("old_behind_a_new", GET + request(b"GET /a HTTP/1.0"), "GET /, GET /a -> 200 200 closed"),
    case("malformed_second", GET + b"\0\0\r\n\r\n", "GET / -> 200 400 closed"),
    case(
        "malformed_third",
        GET + POST + b"GET / HTTP/7.7\r\n\r\n",
        "GET /, POST /a [ab] -> 200 200 400 closed",
        "GET /, POST /a [ab], GET / -> 200 200 200",
        "h11 accepts all versions of one digit",
    ),
    case(
        "malformed_body_of_the_second", GET + CHUNKED + b"x", "GET / -> 200 400 closed", "GET / -> 200", EAGER
    ),
    case("malformed_second_and_a_good_third", GET + b"\0\r\n\r\n" + GET, "GET / -> 200 400 closed"),
    case("second_without_host", GET + b"GET / HTTP/1.1\r\n\r\n", "GET / -> 200 400 closed"),
    case(
        "too_large_second",
        GET + request(b"GET / HTTP/1.1", b"A: " + b"a" * 70_000),
        "GET / -> 200 400 closed",
        TWO,
        "h11 has no limit for one read",
    ),
    case(
        "malformed_body_of_a_stream",
        request(b"POST /stream HTTP/1.1", b"Transfer-Encoding: chunked", body=b"x"),
        "-> 400 closed",
        "->",
        EAGER,
    ),
    # Early responses.
    case("early", EARLY, "POST /early -> 413"),
    case("early_and_the_rest", (EARLY, b"ab", b"cd"), "POST /early -> 413"),
    case("early_and_the_next", (EARLY, b"abcd" + GET), "POST /early, GET / -> 413 200"),
    case("early_and_the_next_at_once", EARLY + b"abcd" + GET, "POST /early, GET / -> 413 200"),
    case(
        "early_and_chunks",
        (request(b"POST /early HTTP/1.1", b"Transfer-Encoding: chunked"), b"2\r\nab\r\n0\r\n\r\n" + GET),
        "POST /early, GET / -> 413 200",
    ),
    case(
        "early_and_malformed",
        (request(b"POST /early HTTP/1.1", b"Transfer-Encoding: chunked"), b"x"),
        "POST /early -> 413 closed",
        "POST /early -> 413",
        EAGER,
    ),
    case(
        "early_and_last",
        request(b"POST /early HTTP/1.1", b"Content-Length: 4", b"Connection: close"),
        "POST /early -> 413 closed",
    ),
    # Closed sending sides.
    ends("end_after_a_request", GET, "GET / -> 200 closed"),
    ends("end_after_a_post", POST, "POST /a [ab] -> 200 closed"),
    ends("end_after_two", 2 * GET, "GET /, GET / -> 200 200 closed"),
    ends("end_after_nothing", (), "-> closed"),
    ends("end_in_a_head", GET[:-2], "-> closed"),
    ends("end_in_a_body", POST[:-1], "-> closed"),
    ends("end_in_a_chunk", CHUNKED + b"2\r\na", "-> closed"),
    ends("end_after_the_last_chunk", CHUNKED + b"0\r\n", "-> closed"),
    # Attempts to smuggle: one reader takes the length, another the chunks.
    case(
        "length_before_chunks",
        request(b"POST / HTTP/1.1", b"Content-Length: 6", b"Transfer-Encoding: chunked", body=END + b"G")
        + GET,
        "-> 400 closed",
        "POST /, GGET / -> 200 200",
        "h11 prefers the coding",
    ),
    case(
        "chunks_before_length",
        request(
            b"POST / HTTP/1.1",
            b"Transfer-Encoding: chunked",
            b"Content-Length: 4",
            body=b"5c\r\nGPOST / HTTP/1.1\r\n\r\n" + END,
        ),
        "-> 400 closed",
        "->",
        "h11 prefers the coding",
    ),
    case(
        "hidden_coding",
        request(
            b"POST / HTTP/1.1", b"Content-Length: 6", b"X: y\nTransfer-Encoding: chunked", body=END + b"G"
        ),
        "-> 400 closed",
        "POST / x=y -> 200",
        "h11 reads lines that end with a line feed",
    ),
    case(
        "request_in_the_body_of_get",
        request(b"GET / HTTP/1.1", b"Content-Length: %d" % len(LAST), body=LAST),
        f"GET / [{len(LAST)} bytes] -> 200",
    ),
    case(
        "length_0_and_a_request",
        request(b"POST / HTTP/1.1", b"Content-Length: 0", body=request(b"GET /smuggled HTTP/1.1")),
        "POST /, GET /smuggled -> 200 200",
    ),
]
