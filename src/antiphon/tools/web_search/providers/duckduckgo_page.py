"""The first page of DuckDuckGo's results, with the library `ddgs`."""

import primp
from ddgs.engines.duckduckgo import Duckduckgo
from ddgs.exceptions import DDGSException, TimeoutException

from antiphon.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.wire.json import JSON, JSONObject

_TOO_OFTEN = 202
"""DuckDuckGo's status, with a CAPTCHA, for clients over its rate limit."""


class Engine(Duckduckgo):
    """The library's engine for DuckDuckGo, without its other search engines.

    The library treats a refusal as an empty page; this class raises an error instead.
    """

    def request(self, *args: JSON, **kwargs: JSON) -> str:
        """Return the page.

        Raises:
            UpstreamRefused: DuckDuckGo responded with another status than 200.
        """
        answer = self.http_client.request(*args, **kwargs)
        if answer.status_code == _TOO_OFTEN:
            raise UpstreamRefused(
                "Web search (duckduckgo): rate limit exceeded; try again later", upstream_status=429
            )
        if answer.status_code != 200:
            raise UpstreamRefused(
                f"Web search (duckduckgo): HTTP {answer.status_code}", upstream_status=answer.status_code
            )
        return str(answer.text)


def first_page(query: str, region: str, timeout: int, proxy: str | None = None) -> list[JSONObject]:
    """Return `title`, `href` and `body` of the results on the first page; blocks.

    Raises:
        UpstreamError: DuckDuckGo failed or didn't respond within `timeout` seconds.
    """
    try:
        results = Engine(proxy=proxy, timeout=timeout).search(query, region=region) or []
    except TimeoutException as error:
        raise UpstreamTimeout(f"Web search (duckduckgo): no answer within {timeout} s") from error
    except DDGSException as error:
        raise _failed(error) from error
    return [{"title": result.title, "href": result.href, "body": result.body} for result in results]


def _failed(error: DDGSException) -> UpstreamError:
    """Return the error for a failed request; the library quotes nested errors of its HTTP client."""
    if isinstance(error.__cause__, primp.DNSError):
        return UpstreamUnreachable("Web search (duckduckgo): cannot connect: its name was not found")
    if isinstance(error.__cause__, primp.RequestError):
        return UpstreamUnreachable("Web search (duckduckgo): cannot connect")
    return UpstreamBroken(
        f"Web search (duckduckgo): its answer is broken: {type(error.__cause__ or error).__name__}"
    )
