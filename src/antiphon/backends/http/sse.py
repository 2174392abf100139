"""Parser for the server-sent events of a streamed chat completion.

It is hand-written because this is the hot path: in the usual form, a `data: {...}` line and a blank line, it
splits a network read with one call. `tests/backends/http/bench_sse.py` measures it. It follows the format in
full: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

_DONE = b"[DONE]"
BOM = b"\xef\xbb\xbf"
"""A byte order mark, which some servers send before text."""

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""Size limit in bytes of one event."""


class EventTooLarge(Exception):
    """An event larger than `MAX_EVENT_BYTES`."""


class SseSplitter:
    """An incremental parser that turns network reads into complete payloads.

    A payload is the value of `data:`. Several data lines of one event are joined with a space instead of the
    format's newline: both are equivalent between the tokens of JSON, and a payload stays on one line.
    """

    def __init__(self) -> None:
        self.done = False
        """Whether `data: [DONE]` was read; anything after it is ignored."""
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that `data` completes.

        Raises:
            EventTooLarge: The current event exceeds `MAX_EVENT_BYTES`.
        """
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._with_newlines(data)
        if self._parts:
            # The blank line may be split between two reads. The earlier parts contain no other one.
            cut = data[:1] == b"\n" and self._parts[-1][-1:] == b"\n"
            if not cut and b"\n\n" not in data:
                self._keep(data)
                return []
            data = b"".join((*self._parts, data))
            self._parts.clear()
            self._size = 0
        whole = data.rfind(b"\n\n")
        if whole < 0:
            self._keep(data)
            return []
        payloads = self._payloads(data[:whole])
        if not self.done:
            self._keep(data[whole + 2 :])
        return payloads

    def close(self) -> list[bytes]:
        """Return the payload of a last event without a blank line after it."""
        rest = b"".join(self._parts)
        self._parts.clear()
        return [] if self.done else self._payloads(rest)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")
        if data:
            self._parts.append(data)

    def _payloads(self, events: bytes) -> list[bytes]:
        """Return the payloads of events separated by blank lines, up to `[DONE]`."""
        payloads = events[6:].split(b"\n\ndata: ")
        is_done = payloads[-1][:6] == _DONE
        if is_done:
            payloads.pop()
        # The usual form: one `data: ` line per event, no other line ends, and nothing after `[DONE]`.
        is_usual = events[:6] == b"data: " and b"\n" not in b"".join(payloads)
        if is_usual and _DONE not in payloads and b"" not in payloads:
            self.done = is_done
            return payloads
        return self._odd_payloads(events.split(b"\n\n"))

    def _odd_payloads(self, events: list[bytes]) -> list[bytes]:
        payloads = []
        for event in events:
            payload = _data(event)
            if payload[:6] == _DONE:
                self.done = True
                break
            if payload:
                payloads.append(payload)
        return payloads

    def _with_newlines(self, data: bytes) -> bytes:
        """Replace CR LF and CR with LF, also if a read ends between the two."""
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(event: bytes) -> bytes:
    """Return an event's joined data lines; skip comments, `event:`, `id:` and so on."""
    lines = []
    for line in event.removeprefix(BOM).split(b"\n"):
        if line[:5] == b"data:":
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
    return b" ".join(lines).strip()
