"""httptools' parser, without the protocols that it reads like HTTP."""

import re
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

_OTHER = re.compile(rb" (?:RTSP|ICE)/[0-9]\.[0-9][\r\n]")
_LONGEST = len(b" RTSP/1.0")
_feed = HttpRequestParser.feed_data


class Callbacks(Protocol):
    """The connection that the parser reports to."""

    has_target: bool
    """Whether the current line has the target of a request. `on_url` sets it."""


class RequestParser(HttpRequestParser):
    """Parser of a connection, which refuses RTSP and ICE.

    httptools doesn't report the protocol of a request. A protocol's name can also be part of a header or a
    body. Therefore, the parser stops before each name, and looks whether it has just read a target.
    """

    def __init__(self, callbacks: Callbacks) -> None:
        super().__init__(callbacks)
        # Data after the last request of a connection is not an error.
        self.set_dangerous_leniencies(lenient_data_after_close=True)
        self._callbacks = callbacks
        self._end = b""
        """The last bytes of the current line."""

    def feed(self, data: bytes) -> None:
        """Parse the data of one network read.

        Raises:
            HttpParserError: The data is malformed, or a request has another protocol than HTTP.
            HttpParserUpgrade: The protocol changes; the argument is the position of the rest in `data`.
        """
        before = len(self._end)
        lines = self._end + data
        fed = 0
        if b"RTSP/" in lines or b"ICE/" in lines:
            for found in _OTHER.finditer(lines):
                start = max(fed, found.start() + 1 - before)
                self._feed_lines(data, fed, start)
                if self._callbacks.has_target:
                    raise HttpParserError("Expected HTTP/")
                fed = start
        self._feed_lines(data, fed, len(data))
        self._end = lines[max(lines.rfind(b"\n") + 1, len(lines) - _LONGEST) :]

    def _feed_lines(self, data: bytes, start: int, end: int) -> None:
        """Parse a part of the data; at its end, `has_target` is that of the last line."""
        last = data.rfind(b"\n", start, end) + 1
        try:
            if last:
                _feed(self, data[start:last])
                self._callbacks.has_target = False
                start = last
            if start < end:
                _feed(self, data[start:end])
        except HttpParserUpgrade as upgrade:
            raise HttpParserUpgrade(start + upgrade.args[0]) from None
