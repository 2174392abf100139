"""Splits the byte stream of a streamed chat completion into the JSON texts that it carries.

Written here and not taken from a library, because it is the hot path: the usual form, one `data: {...}` line
and a blank line, costs one split for a whole network read. `tests/backends/http/bench_sse.py` measures it.
The rules are those of the WHATWG's event stream format, which leaves nothing out that a backend may send.
"""

_DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""How large one event may become before its end is seen."""


class EventTooLarge(Exception):
    """One event is larger than `MAX_EVENT_BYTES`."""


class SseSplitter:
    """Takes bytes as the network brings them, cut anywhere, and gives back whole payloads.

    A payload is what stands behind `data:`. Several data lines of one event are joined by a space where the
    format says newline: between the tokens of a JSON text both mean the same, and a payload stays one line.
    """

    def __init__(self) -> None:
        self.done = False
        """`data: [DONE]` has been read; what follows it is not looked at."""
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the payloads that `data` completes. Raises `EventTooLarge`."""
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._with_newlines(data)
        if self._parts:
            # The blank line may be cut in two. Everything else in the parts has been searched before.
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
        """Returns the payload of a last event that no blank line ended."""
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
        """Returns the payloads of events with blank lines between them, up to `[DONE]`."""
        payloads = events[6:].split(b"\n\ndata: ")
        is_done = payloads[-1][:6] == _DONE
        if is_done:
            payloads.pop()
        # Nothing but one `data: ` line for each event: no line ends remain, and nothing follows `[DONE]`.
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
        """Turns CR LF and CR into LF. A CR at the end counts at once; a LF that follows it is skipped."""
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(event: bytes) -> bytes:
    """Returns the joined data lines of one event. Comments and other fields (`event:`, `id:`) are skipped."""
    lines = []
    for line in event.removeprefix(_BOM).split(b"\n"):
        if line[:5] == b"data:":
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
    return b" ".join(lines).strip()
