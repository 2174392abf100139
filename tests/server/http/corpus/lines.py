"""Request lines: methods, targets, versions, line ends."""

from tests.server.http.corpus.case import GET, REFUSED, case, refused, request

METHOD = "llhttp has a list of methods, which contains all of this API's"
SERVED = "GET / -> 200"
LINE_FEED = "RFC 9112 2.2: a server may accept a line feed alone; llhttp refuses it"
ABSOLUTE = "RFC 9112 3.2.2: the path of an absolute target counts; h11 leaves the whole target in it"
RTSP = "llhttp reads RTSP for AirPlay and does not tell; no proxy forwards it, and it gets HTTP's answers"


def line(text: bytes) -> bytes:
    return request(text)


def target(name: bytes) -> bytes:
    return request(b"GET " + name + b" HTTP/1.1")


CASES = [
    case("get", GET, SERVED),
    case("head", line(b"HEAD / HTTP/1.1"), "HEAD / -> 200"),
    case("post_without_a_body", line(b"POST /a HTTP/1.1"), "POST /a -> 200"),
    case("put", line(b"PUT / HTTP/1.1"), "PUT / -> 200"),
    case("delete", line(b"DELETE / HTTP/1.1"), "DELETE / -> 200"),
    case("options", line(b"OPTIONS / HTTP/1.1"), "OPTIONS / -> 200"),
    case("patch", line(b"PATCH / HTTP/1.1"), "PATCH / -> 200"),
    case("trace", line(b"TRACE / HTTP/1.1"), "TRACE / -> 200"),
    case("m_search", line(b"M-SEARCH / HTTP/1.1"), "M-SEARCH / -> 200"),
    refused("unknown_method", line(b"FOO / HTTP/1.1"), "FOO / -> 200", METHOD),
    refused("method_in_lower_case", line(b"get / HTTP/1.1"), "get / -> 200", METHOD),
    refused("method_with_a_suffix", line(b"GETX / HTTP/1.1"), "GETX / -> 200", METHOD),
    refused("method_of_forbidden_characters", line(b"G@T / HTTP/1.1")),
    refused("long_method", line(b"M" * 1000 + b" / HTTP/1.1"), "M" * 1000 + " / -> 200", METHOD),
    refused("no_method", line(b" / HTTP/1.1")),
    refused("rtsp_method_in_http", line(b"DESCRIBE / HTTP/1.1"), "DESCRIBE / -> 200", METHOD),
    case("rtsp_method", line(b"DESCRIBE / RTSP/1.0"), "DESCRIBE / -> 200 closed", REFUSED, RTSP),
    case("rtsp", line(b"GET / RTSP/1.0"), "GET / -> 200 closed", REFUSED, RTSP),
    case("rtsp_1_1", line(b"GET / RTSP/1.1"), "GET / -> 200", REFUSED, RTSP),
    case("ice", line(b"SOURCE / ICE/1.0"), "SOURCE / -> 200 closed", REFUSED, RTSP),
    refused("http2_preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * -> 200 400 closed", METHOD),
    refused("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)),
    refused("nothing_of_http", b"hello\r\n\r\n"),
    refused("a_line_of_nothing", b" \r\n\r\n"),
    case("half_a_line", b"GET / HT", "->"),
    case("line_in_two_reads", (GET[:7], GET[7:]), SERVED),
    # Targets.
    case("query", target(b"/a?b=c&d"), "GET /a?b=c&d -> 200"),
    case("empty_query", target(b"/a?"), "GET /a -> 200"),
    case("escapes", target(b"/%41%2f%00"), "GET /%41%2f%00 -> 200"),
    case("bad_escape", target(b"/%zz%"), "GET /%zz% -> 200"),
    case("two_slashes", target(b"//a"), "GET //a -> 200"),
    case("dots", target(b"/../a/./b"), "GET /../a/./b -> 200"),
    case("backslash", target(b"/a\\b"), "GET /a\\b -> 200"),
    case("forbidden_in_urls", target(b'/{a}|^`"<>'), 'GET /{a}|^`"<> -> 200'),
    case("absolute", target(b"http://h/a?b"), "GET /a?b -> 200", "GET http://h/a?b -> 200", ABSOLUTE),
    case("absolute_other_host", target(b"http://x/a"), "GET /a -> 200", "GET http://x/a -> 200", ABSOLUTE),
    case("absolute_with_https", target(b"https://h/"), "GET / -> 200", "GET https://h/ -> 200", ABSOLUTE),
    case("fragment", target(b"/a#b"), "GET /a -> 200", "GET /a#b -> 200", "a fragment is no part of a path"),
    case("options_of_all", line(b"OPTIONS * HTTP/1.1"), "OPTIONS * -> 200"),
    case("star", target(b"*"), "GET * -> 200"),
    refused("no_slash", target(b"a"), "GET a -> 200", "a target is a path or a URL"),
    refused("authority", target(b"h:80"), "GET h:80 -> 200", "a target is a path or a URL"),
    refused("query_alone", target(b"?a"), "GET ?a -> 200", "a target is a path or a URL"),
    refused(
        "connect", line(b"CONNECT h:443 HTTP/1.1"), "CONNECT h:443 -> 200 closed", "this server is no proxy"
    ),
    refused(
        "connect_to_a_path", line(b"CONNECT / HTTP/1.1"), "CONNECT / -> 200 closed", "this server is no proxy"
    ),
    refused("no_target", line(b"GET HTTP/1.1")),
    refused("empty_target", line(b"GET  HTTP/1.1")),
    refused("space_in_a_target", target(b"/a b")),
    refused("tab_in_a_target", target(b"/a\tb")),
    refused("nul_in_a_target", target(b"/a\0b")),
    refused("delete_in_a_target", target(b"/a\x7fb")),
    refused("latin_1_in_a_target", target(b"/\xe4")),
    refused("utf_8_in_a_target", target("/ä".encode())),
    case("long_target", target(b"/" + b"a" * 8000), f"GET /{'a' * 8000} -> 200"),
    refused(
        "too_long_target",
        target(b"/" + b"a" * 70_000),
        f"GET /{'a' * 70_000} -> 200",
        "h11 has no limit for one read",
    ),
    refused("too_long_target_in_pieces", (b"GET /", *[b"a" * 10_000] * 7)),
    # Versions.
    case("old", line(b"GET / HTTP/1.0"), "GET / -> 200 closed"),
    case("old_without_host", request(b"GET / HTTP/1.0", host=None), "GET / -> 200 closed"),
    case(
        "old_that_would_stay",
        request(b"GET / HTTP/1.0", b"Connection: keep-alive"),
        "GET / -> 200 closed",
    ),
    refused("oldest", line(b"GET / HTTP/0.9"), "GET / -> 200 closed", "RFC 9110 6.2: another major version"),
    refused("no_version", b"GET /\r\n\r\n"),
    refused("next_version", line(b"GET / HTTP/1.2"), SERVED, "llhttp knows only versions that exist"),
    refused("version_2", line(b"GET / HTTP/2.0"), SERVED, "RFC 9110 6.2: another major version"),
    refused("version_3", line(b"GET / HTTP/3.0"), SERVED, "RFC 9110 6.2: another major version"),
    refused("version_9", line(b"GET / HTTP/9.9"), SERVED, "RFC 9110 6.2: another major version"),
    refused("version_without_a_dot", line(b"GET / HTTP/11")),
    refused("version_in_lower_case", line(b"GET / http/1.1")),
    refused("version_with_a_suffix", line(b"GET / HTTP/1.1x")),
    refused("version_with_zeros", line(b"GET / HTTP/01.1")),
    refused("version_with_a_sign", line(b"GET / HTTP/+1.1")),
    refused("version_with_a_space", line(b"GET / HTTP/ 1.1")),
    refused("half_a_version", line(b"GET / HTTP/1.")),
    refused("other_protocol", line(b"GET / HTTPS/1.1")),
    # Spaces and line ends.
    case(
        "two_spaces", line(b"GET  / HTTP/1.1"), SERVED, REFUSED, "llhttp skips spaces; the target is the same"
    ),
    case(
        "spaces_behind",
        line(b"GET /  HTTP/1.1"),
        SERVED,
        REFUSED,
        "llhttp skips spaces; the target is the same",
    ),
    refused("tab_between", line(b"GET\t/ HTTP/1.1")),
    refused("space_after_the_version", line(b"GET / HTTP/1.1 ")),
    refused("space_first", b" " + GET),
    refused("nul_first", b"\0" + GET),
    case("empty_line_first", b"\r\n" + GET, SERVED, REFUSED, "RFC 9112 2.2: ignore it"),
    case("empty_lines_first", b"\r\n" * 10 + GET, SERVED, REFUSED, "RFC 9112 2.2: ignore them"),
    case("line_feed_first", b"\n" + GET, SERVED, REFUSED, "RFC 9112 2.2: ignore it"),
    case("return_first", b"\r" + GET, SERVED, REFUSED, "llhttp skips it, as an empty line"),
    refused("line_feeds", GET.replace(b"\r\n", b"\n"), SERVED, LINE_FEED),
    refused("returns", GET.replace(b"\r\n", b"\r"), "->", "h11 waits for a line feed"),
    refused("two_returns", GET.replace(b"\r\n", b"\r\r\n"), "->", "h11 waits for another line end"),
    refused("line_feed_and_return", GET.replace(b"\r\n", b"\n\r")),
    refused("line_feed_after_the_line", b"GET / HTTP/1.1\nHost: h\r\n\r\n", SERVED, LINE_FEED),
]
