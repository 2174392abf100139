"""One page of DuckDuckGo's results, through the library `ddgs`."""

from ddgs.engines.duckduckgo import Duckduckgo
from ddgs.exceptions import DDGSException, TimeoutException

from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.wire.json import JSON, JSONObject

_TOO_OFTEN = 202
"""What DuckDuckGo answers, with a riddle for humans, to those who ask too often."""


class Engine(Duckduckgo):
    """The library's engine for DuckDuckGo alone; its other ones are services that nobody here has chosen.

    The library takes a refusal for an empty page; this tells it.
    """

    def request(self, *args: JSON, **kwargs: JSON) -> str:
        """Returns the page; raises `UpstreamRefused`."""
        answer = self.http_client.request(*args, **kwargs)
        if answer.status_code == _TOO_OFTEN:
            raise UpstreamRefused(
                "Web search (duckduckgo): it was asked too often; please try again later", upstream_status=429
            )
        if answer.status_code != 200:
            raise UpstreamRefused(
                f"Web search (duckduckgo): HTTP {answer.status_code}", upstream_status=answer.status_code
            )
        return str(answer.text)


def first_page(query: str, region: str, timeout: int) -> list[JSONObject]:
    """Returns `title`, `href` and `body` of the results of the first page; blocks. Raises `UpstreamError`."""
    try:
        results = Engine(timeout=timeout).search(query, region=region) or []
    except TimeoutException as error:
        raise UpstreamTimeout(f"Web search (duckduckgo): no answer within {timeout} s") from error
    except DDGSException as error:
        raise UpstreamBroken(f"Web search (duckduckgo): {' '.join(str(error).split())[:200]}") from error
    return [{"title": result.title, "href": result.href, "body": result.body} for result in results]
