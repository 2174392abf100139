"""One request to a webhook endpoint, signed as Standard Webhooks specifies.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from antiphon.errors import AntiphonError
from antiphon.net.guard import Guard

if TYPE_CHECKING:
    import httpx2

_SECONDS = 10.0
"""Time limit of a request."""


class NotSent(Exception):
    """Failure of a request without a response; the text is the reason."""


class Sender:
    """Requests to webhook endpoints, at public addresses only.

    Args:
        guard: Decides which addresses the server may call.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._client: httpx2.AsyncClient | None = None

    async def send(self, url: str, event_id: str, body: bytes, secrets: Sequence[str]) -> int:
        """Send an event; return the status of the response.

        The body of the response is not read, and a redirect is not followed.

        Args:
            url: The URL of the endpoint.
            event_id: The ID of the event, the same for all attempts.
            body: The event.
            secrets: The secrets to sign with.

        Raises:
            NotSent: The endpoint can't be reached, may not be called, or doesn't respond in time.
        """
        import httpx2  # Imported late, as most servers have no webhooks.
        from standardwebhooks import Webhook

        now = datetime.now(UTC)
        signatures = [Webhook(secret).sign(event_id, now, body.decode()) for secret in secrets]
        headers = {
            "content-type": "application/json",
            "user-agent": "antiphon",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        try:
            async with asyncio.timeout(_SECONDS):
                client = self._opened()
                request = client.build_request("POST", url, content=body, headers=headers)
                response = await client.send(request, stream=True)
                await response.aclose()
        except TimeoutError as error:
            raise NotSent(f"it took longer than {_SECONDS:g} seconds") from error
        except (httpx2.HTTPError, AntiphonError) as error:
            raise NotSent(str(error) or type(error).__name__) from error
        return response.status_code

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _opened(self) -> "httpx2.AsyncClient":
        if self._client is None:
            import httpx2

            from antiphon.net.transport import GuardedTransport

            self._client = httpx2.AsyncClient(
                transport=GuardedTransport(self._guard),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                timeout=_SECONDS,
                trust_env=False,
            )
        return self._client
