"""The first page of DuckDuckGo's results, with the library `ddgs`."""

from ddgs.engines.duckduckgo import Duckduckgo
from ddgs.exceptions import DDGSException, TimeoutException

from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
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
        raise UpstreamBroken(f"Web search (duckduckgo): {' '.join(str(error).split())[:200]}") from error
    return [{"title": result.title, "href": result.href, "body": result.body} for result in results]
