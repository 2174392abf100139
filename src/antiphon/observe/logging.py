"""How the log is written: lines for people, or JSON objects for machines. Always on standard error."""

import logging
import sys

import msgspec

from antiphon.settings.schema import Settings

_WORD = {"warning": "warning: ", "error": "error: ", "critical": "error: "}

_NO_HANDSHAKE = "ASGI callable returned without completing handshake."
"""What uvicorn 0.54 takes for a fault, though a WebSocket connection was refused with a whole answer."""


class TextFormatter(logging.Formatter):
    """`12:01:03 message`; the level is named where it is more than a notice. One line, unless a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; line breaks and control characters of the message are escaped."""
        message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.getMessage())
        line = f"{self.formatTime(record, '%H:%M:%S')} {_WORD.get(record.levelname.lower(), '')}{message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the fields of the request log beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        entry = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def configure(settings: Settings) -> None:
    """Sets the process's logging up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_meant)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("antiphon").setLevel(settings.log_level.upper())


def _is_meant(record: logging.LogRecord) -> bool:
    return record.msg != _NO_HANDSHAKE
