"""Log output on standard error: lines for people, or JSON objects for machines."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

from antiphon.ids import current_request
from antiphon.settings.schema import Settings

_WORD = {"warning": "warning: ", "error": "error: ", "critical": "error: "}

_NO_HANDSHAKE = "ASGI callable returned without completing handshake."
"""False alarm of uvicorn 0.54 about WebSocket connections rejected over HTTP."""


class TextFormatter(logging.Formatter):
    """Lines such as `2026-11-30 12:01:03 warning: message [req_12ab]`, with tracebacks below them.

    The time is local. The ID is that of the request that the line is about, if there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with line breaks and control characters of the message escaped."""
        message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.getMessage())
        request_id = current_request.get()
        about = "" if request_id is None else f" [{request_id}]"
        time = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        line = f"{time} {_WORD.get(record.levelname.lower(), '')}{message}{about}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with the fields of the request log beside the message.

    The time has the format of RFC 3339, in UTC.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request_id = current_request.get()
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({} if request_id is None else {"request_id": request_id}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def configure(settings: Settings) -> None:
    """Configure the logging of the process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_meant)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("antiphon").setLevel(settings.log_level.upper())


def _is_meant(record: logging.LogRecord) -> bool:
    return record.msg != _NO_HANDSHAKE
