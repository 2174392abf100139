"""Chunked bodies and trailers."""

from tests.server.http.corpus.case import CHUNKED, END, GET, case, refused, request

AB = "POST / [ab] -> 200"
BOTH = "POST / [ab], GET / -> 200 200"
EAGER = "h11 waits for a whole line before it refuses it"
OBEYED = "llhttp obeys Connection in trailers, so the connection ends"
FRAMING = "RFC 9110 6.5.1: a trailer must not say where its body ends; h11 ignores it"
LINE_FEED = "RFC 9112 2.2: a server may accept a line feed alone; llhttp refuses it"
STRICT = "h11 ignores spaces after a size"


def chunked(body: bytes) -> bytes:
    return CHUNKED + body


def trailers(*lines: bytes) -> bytes:
    return CHUNKED + b"2\r\nab\r\n0\r\n" + b"\r\n".join([*lines, b"", b""])


WHOLE = chunked(b"2\r\nab\r\n" + END)

CASES = [
    case("chunk", WHOLE, AB),
    case("chunk_and_request", WHOLE + GET, BOTH),
    case("two_chunks", chunked(b"1\r\na\r\n1\r\nb\r\n" + END), AB),
    case("many_chunks", chunked(b"1\r\na\r\n" * 1000 + END), "POST / [1000 bytes] -> 200"),
    case("no_chunk", chunked(END), "POST / -> 200"),
    case("chunk_byte_by_byte", tuple(WHOLE[at : at + 1] for at in range(len(WHOLE))), AB),
    case("chunk_in_two_reads", (WHOLE[:-6], WHOLE[-6:]), AB),
    case("size_in_two_reads", (chunked(b"0"), b"2\r\nab\r\n" + END), AB),
    case("size_in_upper_case", chunked(b"A\r\n0123456789\r\n" + END), "POST / [0123456789] -> 200"),
    case("size_in_lower_case", chunked(b"a\r\n0123456789\r\n" + END), "POST / [0123456789] -> 200"),
    case("size_with_zeros", chunked(b"0002\r\nab\r\n" + END), AB),
    case("last_size_with_zeros", chunked(b"2\r\nab\r\n000\r\n\r\n"), AB),
    case("size_of_15_zeros", chunked(b"0" * 15 + b"2\r\nab\r\n" + END), AB),
    refused("size_with_a_prefix", chunked(b"0x2\r\nab\r\n" + END)),
    refused("size_with_a_plus", chunked(b"+2\r\nab\r\n" + END)),
    refused("size_below_zero", chunked(b"-2\r\nab\r\n" + END)),
    refused("size_that_is_no_number", chunked(b"g\r\nab\r\n" + END)),
    refused("size_with_an_underscore", chunked(b"1_0\r\nab\r\n" + END)),
    refused("no_size", chunked(b"\r\nab\r\n" + END)),
    refused("space_before_a_size", chunked(b" 2\r\nab\r\n" + END)),
    refused("space_after_a_size", chunked(b"2 \r\nab\r\n" + END), AB, STRICT),
    refused("tab_after_a_size", chunked(b"2\t\r\nab\r\n" + END), AB, STRICT),
    refused("size_over_64_bits", chunked(b"1" + b"0" * 16 + b"\r\n"), "->", "h11 reads 20 digits"),
    refused("size_of_30_digits", chunked(b"1" * 30 + b"\r\n")),
    case("largest_size", chunked(b"f" * 16 + b"\r\nab"), "->"),
    refused("more_than_the_size", chunked(b"2\r\nabc\r\n" + END)),
    refused("less_than_the_size", chunked(b"3\r\nab\r\n" + END)),
    refused("no_line_end_after_a_chunk", chunked(b"2\r\nab0\r\n\r\n")),
    refused("line_feed_after_a_size", chunked(b"2\nab\r\n" + END)),
    refused("line_feed_after_a_chunk", chunked(b"2\r\nab\n" + END)),
    refused("return_after_a_size", chunked(b"2\rab\r\n" + END)),
    refused("line_feeds_at_the_end", chunked(b"2\r\nab\r\n0\n\n"), "->", EAGER),
    refused("return_at_the_end", chunked(b"2\r\nab\r\n0\r\n\rx"), "->", EAGER),
    case("no_end", chunked(b"2\r\nab\r\n"), "->"),
    case("half_an_end", chunked(b"2\r\nab\r\n0\r\n"), "->"),
    case("half_an_end_and_the_rest", (chunked(b"2\r\nab\r\n0\r\n"), b"\r\n" + GET), BOTH),
    # Extensions.
    case("extension", chunked(b"2;a=b\r\nab\r\n" + END), AB),
    case("extension_without_a_value", chunked(b"2;a\r\nab\r\n" + END), AB),
    case("quoted_extension", chunked(b'2;a="b;c"\r\nab\r\n' + END), AB),
    case("extension_of_the_last_chunk", chunked(b"2\r\nab\r\n0;a=b\r\n\r\n") + GET, BOTH),
    case("two_extensions", chunked(b"2;a=b;c=d\r\nab\r\n" + END), AB),
    case("extension_in_pieces", (chunked(b"2;a"), b"=", b"b\r\nab\r\n" + END), AB),
    refused("extension_with_a_space_before", chunked(b"2 ;a=b\r\nab\r\n" + END)),
    refused("extension_with_a_line_feed", chunked(b"2;a\nb\r\nab\r\n" + END)),
    refused("extension_with_a_return", chunked(b"2;a\rb\r\nab\r\n" + END), AB, "h11 accepts any extension"),
    refused("extension_with_a_nul", chunked(b"2;a\0\r\nab\r\n" + END), AB, "h11 accepts any extension"),
    refused("empty_extension", chunked(b"2;\r\nab\r\n" + END), AB, "h11 accepts any extension"),
    refused("too_long_extension", (chunked(b"2;a"), *[b"a" * 10_000] * 7)),
    # Trailers.
    case("trailer", trailers(b"X-A: b") + GET, BOTH),
    case("trailers", trailers(b"X-A: b", b"X-B: c", b"X-C:") + GET, BOTH),
    case(
        "trailer_byte_by_byte",
        (CHUNKED, *(bytes([each]) for each in b"0\r\nX-A: b\r\n\r\n"), GET),
        "POST /, GET / -> 200 200",
    ),
    case("trailer_with_a_key", trailers(b"Authorization: Bearer x", b"X-Key: y") + GET, BOTH),
    case("trailer_with_a_host", trailers(b"Host: other") + GET, BOTH),
    case("trailer_with_expect", trailers(b"Expect: 100-continue") + GET, BOTH),
    case(
        "trailer_with_upgrade",
        trailers(b"Connection: upgrade", b"Upgrade: websocket") + GET,
        "POST / [ab] -> 200 closed",
        BOTH,
        OBEYED,
    ),
    case(
        "trailer_with_close",
        trailers(b"Connection: close") + GET,
        "POST / [ab] -> 200 closed",
        BOTH,
        OBEYED,
    ),
    refused("trailer_with_a_length", trailers(b"Content-Length: 5") + GET, BOTH, FRAMING),
    refused("trailer_with_a_coding", trailers(b"Transfer-Encoding: chunked") + GET, BOTH, FRAMING),
    case("half_a_trailer", chunked(b"0\r\nX-A: b\r\n"), "->"),
    refused("trailer_without_a_colon", trailers(b"X-A")),
    refused("trailer_with_a_space_before_the_colon", trailers(b"X-A : b")),
    refused("trailer_with_a_nul", trailers(b"X-A: b\0")),
    refused("folded_trailer", trailers(b"X-A: b", b" c"), AB, "RFC 9112 5.2: refuse folding, or replace it"),
    refused("trailer_in_lines_of_line_feeds", chunked(b"0\r\nX-A: b\n\n"), "POST / -> 200", LINE_FEED),
    refused("too_many_trailers", trailers(*[b"X-A: b"] * 10_000), AB, "h11 has no limit for one read"),
    refused("too_many_trailers_in_pieces", (CHUNKED + b"0\r\n", *[b"X-A: b\r\n" * 1000] * 9)),
    refused("too_long_trailer_in_pieces", (CHUNKED + b"0\r\nX-A: ", *[b"b" * 10_000] * 7)),
    refused("request_instead_of_the_end", chunked(b"2\r\nab\r\n0\r\n") + GET),
    case(
        "smuggled_behind_the_end",
        request(
            b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=END + request(b"GET /smuggled HTTP/1.1")
        ),
        "POST /, GET /smuggled -> 200 200",
    ),
]
