"""Runner of the checks, with one line of output for each."""

import argparse
import os
import sys
from collections.abc import Sequence

import httpx2
from websockets.exceptions import WebSocketException

from tests.conformance.checks import CHECKS
from tests.conformance.target import Target
from tests.support import shared

KEY = "ANTIPHON_API_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each check; return 0 if all pass, else 1."""
    given = _parser().parse_args(arguments)
    if not shared.ROOT.is_dir():
        _say("Without ../shared no schema is at hand: bodies and events are not validated.\n")
    width = max(map(len, CHECKS))
    failed = 0
    with Target(given.url, given.model, given.key) as target:
        for name in given.check or CHECKS:
            fault = outcome(target, name)
            failed += fault is not None
            _say(f"{name:<{width}}  {'pass' if fault is None else 'FAIL  ' + fault}")
    count = len(given.check or CHECKS)
    _say(f"\n{count - failed} of {count} pass")
    return 1 if failed else 0


def outcome(target: Target, name: str) -> str | None:
    """Run a check by its name; return the problem in one line, or None."""
    try:
        CHECKS[name](target)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        # A value that a check reads may lack a key or have another type.
        return " ".join(f"{type(error).__name__}: {error}".removeprefix("AssertionError: ").split())
    except (httpx2.HTTPError, OSError, WebSocketException) as error:
        return f"the server does not answer: {error!r}"
    return None


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance", description="Checks a server against Open Responses."
    )
    parser.add_argument("url", help="the base URL, such as http://127.0.0.1:8321/v1")
    parser.add_argument("--model", required=True, help="the model to ask")
    parser.add_argument("--key", default=os.environ.get(KEY), help=f"the API key; default: ${KEY}")
    parser.add_argument(
        "--check", action="append", choices=CHECKS, metavar="NAME", help="this check alone; repeatable"
    )
    return parser
