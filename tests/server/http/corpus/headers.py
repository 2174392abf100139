"""Headers: Host, names, values, sizes, Connection."""

from tests.server.http.corpus.case import GET, case, refused, request

SERVED = "GET / -> 200"
LINE_FEED = "RFC 9112 2.2: a server may accept a line feed alone; llhttp refuses it"
LENIENT = "h11 accepts control characters in values"
FOLDS = "RFC 9112 5.2: refuse obsolete line folding, or replace it as h11 does"
LARGE = "h11 has a limit of 16 KiB"


def headed(*headers: bytes) -> bytes:
    return request(b"GET / HTTP/1.1", *headers)


def host(*lines: bytes) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])


CASES = [
    # Host.
    refused("no_host", host()),
    refused("two_hosts", host(b"Host: a", b"Host: b")),
    refused("two_equal_hosts", host(b"Host: a", b"Host: a")),
    refused("two_hosts_of_other_case", host(b"Host: a", b"hOST: a")),
    refused("two_hosts_of_an_old_request", request(b"GET / HTTP/1.0", b"Host: x")),
    case("empty_host", host(b"Host:"), SERVED),
    case("host_with_a_port", host(b"Host: h:80"), SERVED),
    case("host_with_a_path", host(b"Host: h/x"), SERVED),
    case("list_of_hosts", host(b"Host: a, b"), SERVED),
    case("host_in_upper_case", host(b"HOST: h"), SERVED),
    refused("space_before_the_colon_of_host", host(b"Host : h")),
    refused("absolute_target_without_host", b"GET http://h/ HTTP/1.1\r\n\r\n"),
    # Names.
    refused("space_before_the_colon", headed(b"X-A : b")),
    refused("tab_before_the_colon", headed(b"X-A\t: b")),
    refused("no_colon", headed(b"X-A")),
    refused("empty_name", headed(b": b")),
    refused("space_in_a_name", headed(b"X A: b")),
    refused("slash_in_a_name", headed(b"X/A: b")),
    refused("bracket_in_a_name", headed(b"X(A: b")),
    refused("nul_in_a_name", headed(b"X\0A: b")),
    refused("latin_1_in_a_name", headed(b"X\xe4: b")),
    case("underscore_in_a_name", headed(b"X_A: b"), "GET / x_a=b -> 200"),
    case("all_characters_of_a_name", headed(b"X!#$%&'*+-.^_`|~: b"), "GET / x!#$%&'*+-.^_`|~=b -> 200"),
    # Values.
    case("empty_value", headed(b"X-A:", b"X-B: c"), "GET / x-a= x-b=c -> 200"),
    case("value_of_spaces", headed(b"X-A:   \t "), "GET / x-a= -> 200"),
    case("spaces_around_a_value", headed(b"X-A: \t b \t "), "GET / x-a=b -> 200"),
    case("no_space", headed(b"X-A:b"), "GET / x-a=b -> 200"),
    case("spaces_in_a_value", headed(b"X-A: b  c\td"), "GET / x-a=b  c\td -> 200"),
    case("latin_1_in_a_value", headed(b"X-A: \xe4"), "GET / x-a=\xe4 -> 200"),
    case("repeated", headed(b"X-A: b", b"X-A: c"), "GET / x-a=b x-a=c -> 200"),
    refused("nul_in_a_value", headed(b"X-A: b\0c")),
    refused("return_in_a_value", headed(b"X-A: b\rc")),
    refused("bell_in_a_value", headed(b"X-A: b\x07c"), "GET / x-a=b\x07c -> 200", LENIENT),
    refused("delete_in_a_value", headed(b"X-A: b\x7fc"), "GET / x-a=b\x7fc -> 200", LENIENT),
    refused("form_feed_in_a_value", headed(b"X-A: b\x0cc")),
    refused("vertical_tab_before_a_value", headed(b"X-A:\x0bb")),
    refused("line_feed_after_a_value", headed(b"X-A: b\nX-B: c"), "GET / x-a=b x-b=c -> 200", LINE_FEED),
    refused("folded", headed(b"X-A: b", b" c"), "GET / x-a=b c -> 200", FOLDS),
    refused("folded_by_a_tab", headed(b"X-A: b", b"\tc"), "GET / x-a=b c -> 200", FOLDS),
    refused("folded_host", host(b"Host:", b" h"), SERVED, FOLDS),
    refused("fold_of_nothing", b"GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
    refused("fold_of_spaces", headed(b"X-A: b", b" "), "GET / x-a=b -> 200", FOLDS),
    # Sizes.
    case("a_hundred", headed(*[b"A: b"] * 100), SERVED),
    case("a_thousand", headed(*[b"A: b"] * 999), SERVED),
    refused("too_many", headed(*[b"A: b"] * 1000), SERVED, "h11 does not count headers"),
    refused("too_many_in_pieces", (b"GET / HTTP/1.1\r\nHost: h\r\n", *[b"A: b\r\n" * 200] * 6), "->", LARGE),
    case("long_value", headed(b"A: " + b"b" * 15_000), SERVED),
    case("long_value_in_pieces", (GET[:-2] + b"A: ", *[b"b" * 1000] * 15, b"\r\n\r\n"), SERVED),
    case("longer_value", headed(b"A: " + b"b" * 65_000), SERVED),
    refused("too_long_value", headed(b"A: " + b"b" * 66_000), SERVED, "h11 has no limit for one read"),
    refused("too_long_value_in_pieces", (GET[:-2] + b"A: ", *[b"b" * 10_000] * 7)),
    refused("too_long_name", headed(b"A" * 66_000 + b": b"), SERVED, "h11 has no limit for one read"),
    refused(
        "too_long_head_of_many", headed(*[b"A: " + b"b" * 700] * 100), SERVED, "h11 has no limit for one read"
    ),
    case("byte_by_byte", tuple(GET[at : at + 1] for at in range(len(GET))), SERVED),
    case("two_reads", (GET[:-1], GET[-1:]), SERVED),
    case("half_a_head", GET[:-2], "->"),
    # Connection.
    case("close", headed(b"Connection: close"), "GET / -> 200 closed"),
    case("close_in_upper_case", headed(b"Connection: CLOSE"), "GET / -> 200 closed"),
    case("close_in_a_list", headed(b"Connection: x, close"), "GET / -> 200 closed"),
    case("close_in_two_headers", headed(b"Connection: x", b"Connection: close"), "GET / -> 200 closed"),
    case("close_and_keep_alive", headed(b"Connection: close, keep-alive"), "GET / -> 200 closed"),
    case("keep_alive", headed(b"Connection: keep-alive"), SERVED),
    case("connection_of_something", headed(b"Connection: x"), SERVED),
    case(
        "proxy_connection",
        headed(b"Proxy-Connection: close"),
        "GET / -> 200 closed",
        SERVED,
        "llhttp obeys this old name of Connection",
    ),
    case("closes", headed(b"Connection: closed"), SERVED),
]
