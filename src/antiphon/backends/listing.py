"""A backend's model list, cached for a while."""

import asyncio
import re
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from antiphon.backends.connections import failure, headers_of
from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.decoding import decoded
from antiphon.backends.http.errors import ConnectTimeout, HttpError, Silence
from antiphon.backends.http.protocol import Client
from antiphon.backends.http.sse import BOM
from antiphon.backends.http.target import target
from antiphon.backends.refusals import excerpt, refused, speaks
from antiphon.errors import AntiphonError, UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.settings.backends import BackendSettings
from antiphon.wire.json import JSON
from antiphon.wire.models import Model

LIST_TIMEOUT = 3.0
"""Time limit in seconds for loading a model list."""
_MAX_BYTES = 8 * 1024 * 1024


class _List(Struct):
    data: list[JSON] | None


async def fetch_models(client: Client, backend: BackendSettings, seconds: float) -> list[Model]:
    """Return the backend's models under its own names.

    Raises:
        UpstreamError: The backend failed, or didn't respond within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            timeouts = Timeouts(seconds, seconds, seconds)
            to = target("GET", f"{backend.base_url}/models", headers_of(backend))
            response = await decoded(await client.request(to, b"", timeouts))
            try:
                body = b""
                while len(body) <= _MAX_BYTES and (data := await response.read()):
                    body += data
            finally:
                await response.close()
    except (TimeoutError, ConnectTimeout, Silence) as error:
        raise UpstreamTimeout(speaks(backend, f"no model list within {seconds:g} s")) from error
    except HttpError as error:
        raise failure(backend, error) from error
    if response.status >= 300:
        raise refused(backend, response.status, response.headers, body)
    try:
        # Ollama returns null for `data` if it has no models.
        entries = msgspec.json.decode(body.removeprefix(BOM), type=_List).data or []
    except (msgspec.DecodeError, UnicodeError) as error:
        text = f"its answer is not a model list: {excerpt(body) or 'it is empty'}"
        raise UpstreamBroken(speaks(backend, text)) from error
    models = [_model(entry, backend) for entry in entries if isinstance(entry, dict) and _named(entry)]
    return _with_short_names(models) if backend.kind == "llamacpp" else models


def _named(entry: JSON) -> bool:
    return isinstance(entry.get("id"), str) and entry["id"] != ""


def _model(entry: JSON, backend: BackendSettings) -> Model:
    created, owner = entry.get("created"), entry.get("owned_by")
    return Model(
        id=entry["id"],
        created=created if isinstance(created, int) else 0,
        owned_by=owner if isinstance(owner, str) and owner else backend.name,
    )


def _with_short_names(models: list[Model]) -> list[Model]:
    """Return llama.cpp's models with the names of their files instead of paths.

    Without an alias, llama.cpp lists the path of its model. It accepts any name for the only model.
    """
    if len(models) != 1 or not models[0].id.endswith(".gguf"):
        return models
    return [msgspec.structs.replace(models[0], id=re.split(r"[/\\]", models[0].id)[-1])]


class Listing:
    """The models of one backend, loaded on demand by at most one request at a time."""

    def __init__(
        self,
        client: Client,
        backend: BackendSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.models: dict[str, Model] | None = None
        """The models by the backend's names; None until the first success."""
        self.problem: str | None = None
        """The reason why the last attempt failed."""
        self.seconds: float | None = None
        """The backend's response time."""
        self._client = client
        self._backend = backend
        self._clock = clock
        self._asked_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        if backend.models is not None:
            self.models = {name: Model(id=name, owned_by=backend.name) for name in backend.models}

    @classmethod
    def known(
        cls, client: Client, backend: BackendSettings, models: list[Model], seconds: float
    ) -> "Listing":
        """Return the listing of a backend whose models were just loaded."""
        listing = cls(client, backend)
        listing._take(models, listing._clock() - seconds)
        return listing

    @property
    def was_asked(self) -> bool:
        """Whether the backend has answered, or failed to answer, at least once."""
        return self._asked_at is not None

    def refresh(self, max_age: float) -> asyncio.Task[None] | None:
        """Start to refresh a list older than `max_age` seconds; return the running task."""
        return None if self._backend.models is not None else self.check(max_age)

    def check(self, max_age: float) -> asyncio.Task[None] | None:
        """Start to ask the backend, if its last answer is older than `max_age` seconds.

        A backend whose models are configured is asked, too. Return the running task.
        """
        if self._task is not None and not self._task.done():
            return self._task
        if self._asked_at is not None and self._clock() - self._asked_at <= max_age:
            return None
        self._task = asyncio.create_task(self._ask())
        return self._task

    def find(self, name: str) -> str | None:
        """Return the backend's name for `name`, which may omit Ollama's tag `latest`."""
        known = self.models or {}
        return next((full for full in (name, f"{name}:latest") if full in known), None)

    async def close(self) -> None:
        """Cancel a running refresh."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _ask(self) -> None:
        started = self._clock()
        try:
            models = await fetch_models(self._client, self._backend, LIST_TIMEOUT)
        except AntiphonError as error:
            has_no_list = isinstance(error, UpstreamRefused) and error.upstream_status < 500
            if has_no_list and self._backend.models is not None:
                self.problem = None
            else:
                self.problem = error.message.removeprefix(f"{self._backend.name}: ")
            self._asked_at = self._clock()
        else:
            self._take(models, started)

    def _take(self, models: list[Model], started: float) -> None:
        if self._backend.models is None:
            self.models = {model.id: model for model in models}
        self.problem = None
        self._asked_at = self._clock()
        self.seconds = self._asked_at - started
