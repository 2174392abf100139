"""The length of a body: Content-Length, Transfer-Encoding, Expect."""

from tests.server.http.corpus.case import CHUNKED, END, GET, case, refused, request

ONE = "RFC 9112 6.3: equal lengths may be one; llhttp refuses what a proxy may read otherwise"
AB = "POST / [ab] -> 200"
EAGER = "h11 waits for a whole line before it refuses it"
ARRIVED = "RFC 9110 10.1.1: no 100 is needed once the body arrives"


def sized(*headers: bytes, body: bytes = b"ab", line: bytes = b"POST / HTTP/1.1") -> bytes:
    return request(line, *headers, body=body)


CASES = [
    # Content-Length.
    case("length", sized(b"Content-Length: 2"), AB),
    case("length_in_pieces", (sized(b"Content-Length: 2", body=b""), b"a", b"b"), AB),
    case("length_of_nothing", sized(b"Content-Length: 0", body=b""), "POST / -> 200"),
    case("length_of_get", sized(b"Content-Length: 2", line=b"GET / HTTP/1.1"), "GET / [ab] -> 200"),
    case("length_of_head", sized(b"Content-Length: 2", line=b"HEAD / HTTP/1.1"), "HEAD / [ab] -> 200"),
    case("length_of_an_old_request", sized(b"Content-Length: 2", line=b"POST / HTTP/1.0"), AB + " closed"),
    case("length_with_zeros", sized(b"Content-Length: 002"), AB),
    case("length_with_a_space_behind", sized(b"Content-Length: 2 "), AB),
    case("length_with_a_tab_before", sized(b"Content-Length:\t2"), AB),
    refused("length_with_a_plus", sized(b"Content-Length: +2")),
    refused("length_below_zero", sized(b"Content-Length: -2")),
    refused("length_in_hexadecimal", sized(b"Content-Length: 0x2")),
    refused("length_with_a_letter", sized(b"Content-Length: 2a")),
    refused("length_with_a_dot", sized(b"Content-Length: 2.0")),
    refused("length_with_a_space", sized(b"Content-Length: 1 2")),
    refused("length_with_an_underscore", sized(b"Content-Length: 1_0")),
    refused("length_of_arabic_digits", sized("Content-Length: ٢".encode())),
    refused("no_length", sized(b"Content-Length:")),
    refused("list_of_equal_lengths", sized(b"Content-Length: 2, 2"), AB, ONE),
    refused("list_of_lengths", sized(b"Content-Length: 2, 3")),
    refused("equal_lengths", sized(b"Content-Length: 2", b"Content-Length: 2"), AB, ONE),
    refused("two_lengths", sized(b"Content-Length: 2", b"Content-Length: 3")),
    refused(
        "two_lengths_in_pieces", (sized(b"Content-Length: 2", body=b"")[:-2], b"Content-Length: 3\r\n\r\nab")
    ),
    refused(
        "length_over_64_bits", sized(b"Content-Length: 18446744073709551618"), "->", "h11 reads 20 digits"
    ),
    refused("length_of_30_digits", sized(b"Content-Length: " + b"9" * 30)),
    refused(
        "folded_length", sized(b"Content-Length:", b" 2"), AB, "RFC 9112 5.2: refuse folding, or replace it"
    ),
    refused("length_with_a_space_before_the_colon", sized(b"Content-Length : 2")),
    case(
        "length_with_an_underscore_in_its_name",
        sized(b"Content_Length: 2", body=b"") + GET,
        "POST /, GET / -> 200 200",
    ),
    case("body_that_is_too_short", sized(b"Content-Length: 3"), "->"),
    case(
        "body_that_is_too_long",
        sized(b"Content-Length: 1"),
        "POST / [a] -> 200 400 closed",
        "POST / [a] -> 200",
        EAGER,
    ),
    case("body_of_lines", sized(b"Content-Length: 4", body=b"\r\n\r\n"), "POST / [\r\n\r\n] -> 200"),
    case(
        "body_that_looks_like_a_request",
        sized(b"Content-Length: %d" % len(GET), body=GET),
        f"POST / [{GET.decode()}] -> 200",
    ),
    # Both.
    refused(
        "length_and_coding",
        sized(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=END),
        "POST / -> 200",
        "h11 prefers the coding",
    ),
    refused(
        "coding_and_length",
        sized(b"Transfer-Encoding: chunked", b"Content-Length: 2", body=END),
        "POST / -> 200",
        "h11 prefers the coding",
    ),
    refused(
        "coding_and_no_length",
        sized(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=END),
        "POST / -> 200",
        "h11 prefers the coding",
    ),
    refused("length_and_identity", sized(b"Content-Length: 2", b"Transfer-Encoding: identity")),
    # Transfer-Encoding.
    case("coding", sized(b"Transfer-Encoding: chunked", body=END), "POST / -> 200"),
    case("coding_in_upper_case", sized(b"TRANSFER-ENCODING: CHUNKED", body=END), "POST / -> 200"),
    case("coding_with_a_space_behind", sized(b"Transfer-Encoding: chunked ", body=END), "POST / -> 200"),
    case("coding_with_a_tab_before", sized(b"Transfer-Encoding:\tchunked", body=END), "POST / -> 200"),
    case(
        "coding_of_get", request(b"GET / HTTP/1.1", b"Transfer-Encoding: chunked", body=END), "GET / -> 200"
    ),
    case(
        "coding_of_an_old_request",
        request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked", body=END),
        "POST / -> 200 closed",
    ),
    refused("two_codings", sized(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=END)),
    refused("list_of_codings", sized(b"Transfer-Encoding: gzip, chunked", body=END)),
    refused(
        "list_of_codings_in_two_headers",
        sized(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=END),
    ),
    refused("list_of_equal_codings", sized(b"Transfer-Encoding: chunked, chunked", body=END)),
    refused("list_with_an_empty_coding", sized(b"Transfer-Encoding: , chunked", body=END)),
    refused("chunked_is_not_last", sized(b"Transfer-Encoding: chunked, identity", body=END)),
    refused("identity", sized(b"Transfer-Encoding: identity", body=END)),
    refused("gzip", sized(b"Transfer-Encoding: gzip", body=END)),
    refused("no_coding", sized(b"Transfer-Encoding:", body=END)),
    refused("unknown_coding", sized(b"Transfer-Encoding: xchunked", body=END)),
    refused("coding_with_a_suffix", sized(b"Transfer-Encoding: chunkedx", body=END)),
    refused("coding_with_a_parameter", sized(b"Transfer-Encoding: chunked;a=b", body=END)),
    refused("quoted_coding", sized(b'Transfer-Encoding: "chunked"', body=END)),
    refused("coding_with_a_vertical_tab", sized(b"Transfer-Encoding:\x0bchunked", body=END)),
    refused("coding_with_a_nul", sized(b"Transfer-Encoding: chunked\0", body=END)),
    refused("coding_with_a_space_before_the_colon", sized(b"Transfer-Encoding : chunked", body=END)),
    refused(
        "folded_coding",
        sized(b"Transfer-Encoding:", b" chunked", body=END),
        "POST / -> 200",
        "RFC 9112 5.2: refuse folding, or replace it",
    ),
    case(
        "coding_with_an_underscore_in_its_name",
        sized(b"Transfer_Encoding: chunked", b"Content-Length: 2"),
        AB,
    ),
    # Expect.
    case("expects", sized(b"Content-Length: 2", b"Expect: 100-continue", body=b""), "-> 100"),
    case(
        "expects_and_waits",
        (sized(b"Content-Length: 2", b"Expect: 100-continue", body=b""), b"ab", GET),
        "POST / [ab], GET / -> 100 200 200",
    ),
    case(
        "expects_and_does_not_wait",
        sized(b"Content-Length: 2", b"Expect: 100-continue") + GET,
        "POST / [ab], GET / -> 200 200",
        "POST / [ab], GET / -> 100 200 200",
        ARRIVED,
    ),
    case(
        "expects_and_sends_a_part",
        (sized(b"Content-Length: 2", b"Expect: 100-continue", body=b"a"), b"b"),
        AB,
        "POST / [ab] -> 100 200",
        ARRIVED,
    ),
    case(
        "expects_without_a_body",
        sized(b"Expect: 100-continue", body=b""),
        "POST / -> 200",
        "POST / -> 100 200",
        ARRIVED,
    ),
    case("expects_in_upper_case", sized(b"Content-Length: 2", b"Expect: 100-Continue", body=b""), "-> 100"),
    case(
        "expects_and_is_refused",
        sized(b"Content-Length: 2", b"Expect: 100-continue", body=b"", line=b"POST /early HTTP/1.1"),
        "POST /early -> 413 closed",
        "POST /early -> 413",
        "the client may send the body or another request now, and the server cannot tell which",
    ),
    case(
        "expects_in_an_old_request",
        (sized(b"Content-Length: 2", b"Expect: 100-continue", body=b"", line=b"POST / HTTP/1.0"), b"ab"),
        AB + " closed",
    ),
    case("expects_something_else", sized(b"Content-Length: 2", b"Expect: x"), AB),
    case(
        "expects_with_chunks",
        (request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Expect: 100-continue"), END),
        "POST / -> 100 200",
    ),
    case("half_a_body", (CHUNKED, b"5\r\nab"), "->"),
]
