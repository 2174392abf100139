"""Start-up output of the server."""

from antiphon.build import version_text

MAX_LINES = 8
"""Lines of the output, at most."""


def banner(*, url: str, store: str, mode: str, keys: int, has_pages: bool, notices: list[str]) -> list[str]:
    """Return the lines: name, notices, store, mode, access, pages, and the URL to paste.

    Args:
        url: Base URL of the API.
        store: Location and size of the database.
        mode: Handling of model and tool calls, in words.
        keys: Number of valid API keys.
        has_pages: Whether the server has pages for people.
        notices: Lines about backends and settings. The last line counts the notices that don't fit.
    """
    lines = [f"Antiphon {version_text()}"]
    tail = [
        f"store     {store}",
        f"mode      {mode}",
        f"access    {_access(url, keys)}",
        *([f"pages     {url.removesuffix('v1')}"] if has_pages else []),
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


def size_text(size: int) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000  # type: ignore[assignment]
    return f"{size:.1f} GB"
