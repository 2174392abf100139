"""Results of checks."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from msgspec import Struct

from antiphon.errors import AntiphonError
from antiphon.wire.json import JSON

Status = Literal["ok", "degraded", "error", "skipped"]
"""Result of a check: `degraded` works with less, and `error` is a fault that the operator has to repair."""


class Finding(Struct, frozen=True, omit_defaults=True):
    """The result of one check."""

    check: str
    """The name of the check."""
    status: Status
    """The result."""
    message: str
    """The result in words."""
    fix: str | None = None
    """The remedy, in the imperative; None if none is needed or known."""


class Section(Struct, frozen=True):
    """The findings about one thing."""

    area: Literal["settings", "database", "port", "backend", "search", "mcp", "code", "telemetry"]
    """The kind of the thing."""
    subject: str
    """The thing, such as the name and the URL of a backend."""
    findings: list[Finding]
    """The findings."""


class Report(Struct, frozen=True):
    """All findings, as `--json` prints them."""

    version: str
    """The version of Antiphon."""
    status: Status
    """The worst status of all findings."""
    sections: list[Section]
    """The findings by what they are about."""
    settings: dict[str, JSON]
    """The value and the origin of each setting, with secrets masked."""


def worst(sections: list[Section]) -> Status:
    """Return the worst status of all findings."""
    found = {finding.status for section in sections for finding in section.findings}
    if "error" in found:
        return "error"
    return "degraded" if "degraded" in found else "ok"


async def bounded(
    check: str, work: Awaitable[Finding], seconds: float, failed: Status, fix: str | None
) -> Finding:
    """Return the finding of some work, or one about its error or its time limit.

    Args:
        check: The name of the check.
        work: The check.
        seconds: The time limit.
        failed: The status of a check that failed.
        fix: The remedy then.
    """
    try:
        async with asyncio.timeout(seconds):
            return await work
    except AntiphonError as error:
        return Finding(check, failed, error.message, fix)
    except TimeoutError:
        return Finding(check, failed, f"no answer within {seconds:g} s", fix)
    except OSError as error:
        return Finding(check, failed, error.strerror or str(error), fix)
