"""What the server prints when it starts: at most eight lines."""

from antiphon import __version__

MAX_LINES = 8


def banner(*, url: str, store: str, store_bytes: int, mode: str, keys: int, notices: list[str]) -> list[str]:
    """Returns the lines: name, what answers, the store, who has access, and the URL to paste.

    `keys` counts those that are good; `notices` are about backends and settings, and those that do not fit
    are counted.
    """
    lines = [f"Antiphon {__version__}"]
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
        return f"a key is needed ({keys} {'is' if keys == 1 else 'are'} good)"
    host = url.split("//")[1].rsplit(":", 1)[0]
    if host in ("127.0.0.1", "localhost", "[::1]"):
        return "no key needed; this machine only"
    return f"NO KEY NEEDED: whoever reaches {host} may use this server"


def _size(size: int) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000  # type: ignore[assignment]
    return f"{size:.1f} GB"
