"""A DNS server on UDP, for A records only: each query for a name takes the next of its answers."""

import contextlib
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

_A, _IN = 1, 1
_RESPONSE, _NO_SUCH_NAME = 0x8180, 3


class NameServer:
    """The DNS server, in a thread; `asked` has the names in the queries.

    Args:
        answers: For each name, lists of addresses; the last is repeated.
        port: The port, 53 for the system's resolver.
    """

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]], port: int = 0) -> None:
        self.asked: list[str] = []
        self._left = {name: list(given) for name, given in answers.items()}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, name="names")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # This ends the thread's wait.
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            self._socket.sendto(self._response(query), client)

    def _response(self, query: bytes) -> bytes:
        name, end = _name(query)
        kind = struct.unpack_from("!H", query, end)[0]
        question = query[12 : end + 4]
        answers = self._left.get(name.lower())
        found: Sequence[str] = ()
        if answers and kind == _A:
            self.asked.append(name)
            found = answers.pop(0) if len(answers) > 1 else answers[0]
        code = _RESPONSE if answers else _RESPONSE | _NO_SUCH_NAME
        head = query[:2] + struct.pack("!HHHHH", code, 1, len(found), 0, 0)
        # 0xC00C refers to the name in the question; the time to live is zero.
        record = struct.pack("!HHHIH", 0xC00C, _A, _IN, 0, 4)
        return head + question + b"".join(record + socket.inet_aton(address) for address in found)


def _name(query: bytes) -> tuple[str, int]:
    """Return the name in a query's question, and the position after it."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), at + 1
