"""Use cases of webhook endpoints, and the delivery of events to them."""

import base64
import logging
import random
import secrets
import time
from typing import get_args

import msgspec
from msgspec import UNSET

from antiphon.durable.worker import Execution, Worker
from antiphon.engine.request_context import RequestContext, Seal
from antiphon.errors import InvalidRequest
from antiphon.ids import SHORT, new_id
from antiphon.net.guard import Guard
from antiphon.service.pages import page_of
from antiphon.service.webhooks.sending import NotSent, Sender
from antiphon.store import Store
from antiphon.store.webhooks.rows import ClaimedDelivery, DeliveryLimits, StoredEndpoint
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.webhooks import (
    WEBHOOK_PREFIX,
    CreateWebhookEndpoint,
    DeletedWebhookEndpoint,
    EventData,
    EventType,
    EventTypes,
    RotateSecret,
    SendTest,
    UpdateWebhookEndpoint,
    WebhookEndpoint,
    WebhookEvent,
    WebhookEventTypes,
    WebhookTest,
)

log = logging.getLogger("antiphon.service")

MOST_ENDPOINTS = 20
"""Maximum number of endpoints of one owner, each of which receives every event."""
_SECRET_BYTES = 32
_OLD_SECRET = 86_400.0
"""Seconds for which an old secret stays active on request."""
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 21_600.0
"""Seconds before the second attempt of a delivery, which grow fourfold, and the most before any."""
_MOST_ATTEMPTS = 20
_MOST_SECONDS = 3 * 86_400.0
"""Age of an event in seconds after which it is given up."""

_encode = msgspec.json.Encoder().encode
_decode_types = msgspec.json.Decoder(list[EventType]).decode


class Webhooks:
    """The webhook endpoints of all owners.

    Every method that takes an ID raises `NotFound` for an endpoint that doesn't exist or belongs to another
    owner.

    Args:
        store: The database.
        guard: Decides which addresses the server may call.
        seal: Encrypts the secrets in the database.
    """

    def __init__(self, store: Store, guard: Guard, seal: Seal) -> None:
        self._records = store.webhooks
        self._guard = guard
        self._seal = seal
        self._sender = Sender(guard)
        self._worker: Worker[ClaimedDelivery, DeliveryLimits] = Worker(
            store.webhooks, self.deliver, DeliveryLimits(), "webhook delivery"
        )
        store.webhooks.on_queued = self._worker.wake

    async def create(self, context: RequestContext, request: CreateWebhookEndpoint) -> WebhookEndpoint:
        """Create an endpoint, and return it with its secret.

        Raises:
            InvalidRequest: The URL may not be called, or the owner has too many endpoints.
        """
        await self._guard.check(request.url, param="url")
        if await self._records.count(context.owner) >= MOST_ENDPOINTS:
            raise InvalidRequest(
                f"There are {MOST_ENDPOINTS} webhook endpoints already, which is the maximum. Delete one.",
                code="too_many_webhook_endpoints",
            )
        secret, now = _new_secret(), context.clock()
        stored = StoredEndpoint(
            id=context.ids(WEBHOOK_PREFIX, SHORT),
            created_at=now,
            updated_at=now,
            name=request.name,
            url=request.url,
            event_types=_types(request.event_types),
            secret=self._seal.seal(context.owner, secret.encode()),
            hint=_hint(secret),
        )
        await self._records.add(context.owner, stored)
        return _endpoint(stored, secret)

    async def get(self, owner: str, endpoint_id: str) -> WebhookEndpoint:
        """Return an endpoint."""
        return _endpoint(await self._records.get(owner, endpoint_id))

    async def page(self, owner: str, query: PageQuery) -> Page[WebhookEndpoint]:
        """Return a page of endpoints, the newest first."""
        page = await self._records.page(owner, query)
        endpoints = [_endpoint(stored) for stored in page.rows]
        return page_of(endpoints, [stored.id for stored in page.rows], has_more=page.has_more)

    async def update(
        self, context: RequestContext, endpoint_id: str, request: UpdateWebhookEndpoint
    ) -> WebhookEndpoint:
        """Change an endpoint, and return it.

        Raises:
            InvalidRequest: The URL may not be called.
        """
        stored = await self._records.get(context.owner, endpoint_id)
        changes: dict[str, str | float | None] = {}
        if request.url is not UNSET:
            await self._guard.check(request.url, param="url")
            changes["url"] = request.url
        if request.name is not UNSET:
            changes["name"] = request.name
        if request.event_types is not UNSET:
            changes["event_types"] = _types(request.event_types)
        changes = {name: value for name, value in changes.items() if getattr(stored, name) != value}
        if changes:
            changes["updated_at"] = context.clock()
            stored = await self._records.update(context.owner, endpoint_id, changes)
        return _endpoint(stored)

    async def rotate(
        self, context: RequestContext, endpoint_id: str, request: RotateSecret
    ) -> WebhookEndpoint:
        """Replace the secret of an endpoint, and return the endpoint with the new one."""
        stored = await self._records.get(context.owner, endpoint_id)
        secret, keeps_old = _new_secret(), request.keep_old_secret_active_for_24_hours
        changes: dict[str, str | float | None] = {
            "secret": self._seal.seal(context.owner, secret.encode()),
            "hint": _hint(secret),
            "old_secret": stored.secret if keeps_old else None,
            "old_until": time.time() + _OLD_SECRET if keeps_old else None,
            "updated_at": context.clock(),
        }
        return _endpoint(await self._records.update(context.owner, endpoint_id, changes), secret)

    async def delete(self, owner: str, endpoint_id: str) -> DeletedWebhookEndpoint:
        """Delete an endpoint, and the events that it has not received."""
        await self._records.delete(owner, endpoint_id)
        return DeletedWebhookEndpoint(endpoint_id)

    async def test(self, owner: str, endpoint_id: str, request: SendTest) -> WebhookTest:
        """Send a sample event once, and return the status of the response.

        Raises:
            InvalidRequest: The endpoint didn't respond.
        """
        stored = await self._records.get(owner, endpoint_id)
        kind = request.event_type
        sample = "batch_test" if kind.startswith("batch.") else "resp_test"
        event = _event(new_id("evt", SHORT), kind, sample, time.time())
        try:
            keys = self._secrets(owner, stored.secret, stored.old_secret, stored.old_until)
            status = await self._sender.send(stored.url, event.id, _encode(event), keys)
        except NotSent as error:
            raise InvalidRequest(
                f"The webhook endpoint did not respond: {error}. Check its URL.",
                code="webhook_test_failed",
            ) from error
        return WebhookTest(event_type=kind, status_code=status, webhook_endpoint_id=endpoint_id)

    def event_types(self) -> WebhookEventTypes:
        """Return the types of the events that the server sends."""
        return WebhookEventTypes([*get_args(EventType)])

    @property
    def active(self) -> list[str]:
        """The IDs of the events that this process delivers."""
        return self._worker.active

    def wake(self) -> None:
        """Deliver events that are due or that a stopped server has left."""
        self._worker.wake()

    async def close(self) -> None:
        """Stop the deliveries; other servers or the next start repeat them."""
        await self._worker.close()
        await self._sender.close()

    async def deliver(self, execution: Execution[ClaimedDelivery]) -> None:
        """Attempt a delivery; after a failure, queue the next attempt.

        Raises:
            StoreUnavailable: The database failed; the delivery is repeated.
        """
        run = execution.run
        try:
            event = _event(run.id, msgspec.convert(run.event_type, EventType), run.object_id, run.created_at)
            keys = self._secrets(run.owner, run.secret, run.old_secret, run.old_until)
            status = await self._sender.send(run.url, run.id, _encode(event), keys)
            reason = f"status {status}"
            has_arrived = 200 <= status < 300
        except NotSent as error:
            reason, has_arrived = str(error), False
        if has_arrived:
            await self._records.end(run)
        elif run.epoch >= _MOST_ATTEMPTS or time.time() - run.created_at > _MOST_SECONDS:
            log.warning("Gave up a webhook event after %d attempts: %s: %s", run.epoch, run.id, reason)
            await self._records.end(run)
        else:
            log.info("Failed to deliver webhook event %s, attempt %d: %s", run.id, run.epoch, reason)
            await self._records.postpone(run, pause_after(run.epoch))

    def _secrets(self, owner: str, secret: str, old: str | None, until: float | None) -> list[str]:
        """Return the secrets to sign with, the current one first.

        Raises:
            NotSent: The secret can't be decrypted.
        """
        sealed = [secret, old] if old is not None and (until or 0.0) > time.time() else [secret]
        opened = [self._seal.open(owner, each) for each in sealed]
        keys = [each.decode() for each in opened if each is not None]
        if not keys:
            raise NotSent("the secret can't be decrypted, because the server's seal key has changed")
        return keys


def pause_after(attempt: int) -> float:
    """Return the seconds before the next attempt, at random so that failures don't stay together."""
    pause = min(_FIRST_PAUSE * 4.0 ** (attempt - 1), _LONGEST_PAUSE)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 (no secret)


def _event(event_id: str, kind: EventType, object_id: str, created_at: float) -> WebhookEvent:
    return WebhookEvent(id=event_id, created_at=int(created_at), type=kind, data=EventData(object_id))


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _hint(secret: str) -> str:
    # The last character of the padded text is always "=".
    return f"whsec_...{secret.rstrip('=')[-4:]}"


def _types(event_types: EventTypes) -> str:
    return _encode([*dict.fromkeys(event_types)]).decode()


def _endpoint(stored: StoredEndpoint, secret: str | None = None) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=stored.id,
        created_at=int(stored.created_at),
        updated_at=int(stored.updated_at),
        name=stored.name,
        url=stored.url,
        event_types=_decode_types(stored.event_types),
        signing_secret_hint=stored.hint,
        signing_secret=UNSET if secret is None else secret,
    )
