"""Start-up output of the server."""

from antiphon.build import version_text

MAX_LINES = 8
"""Lines of the output, at most."""


def banner(*, url: str, store: str, store_bytes: int, mode: str, keys: int, notices: list[str]) -> list[str]:
    """Return the lines: name, notices, store, mode, access, and the URL to paste.

    Args:
        url: Base URL of the API.
        store: Location of the database.
        store_bytes: Size of the database.
        mode: Handling of model and tool calls, in words.
        keys: Number of valid API keys.
        notices: Lines about backends and settings. The last line counts the notices that don't fit.
    """
    lines = [f"Antiphon {version_text()}"]
    tail = [
        f"store     {store} ({_size(store_bytes)})",
        f"mode      {mode}",
        f"access    {_access(url, keys)}",
        f"export OPENAI_BASE_URL={url}",
    ]
    room = MAX_LINES - len(lines) - len(tail)
    if len(notices) > room:
        notices = [
            *notices[: room - 1],
            f"... and {len(notices) - room + 1} more lines",
        ]
    return [*lines, *notices, *tail]


def _access(url: str, keys: int) -> str:
    if keys:
        return f"API key required ({keys} valid)"
    host = url.split("//")[1].rsplit(":", 1)[0]
    if host in ("127.0.0.1", "localhost", "[::1]"):
        return "no authentication; this machine only"
    return f"WARNING: no authentication; anyone who can reach {host} has access"


def _size(size: int) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000  # type: ignore[assignment]
    return f"{size:.1f} GB"
