"""The models of all backends, and the mapping from a model ID to its backend."""

import asyncio
import difflib
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from antiphon.backends.chat_model import TEXT, HttpChatModel
from antiphon.backends.connections import Clients, place_of
from antiphon.backends.counting import can_count
from antiphon.backends.discovery import USUAL_PORTS, Found, discover
from antiphon.backends.http.protocol import Client
from antiphon.backends.listing import Listing
from antiphon.backends.probing import EmbeddingProbe
from antiphon.backends.sample.model import SampleModel
from antiphon.backends.tracing import TracedClient, TraceHeaders
from antiphon.engine.ports import CountTokens, Endpoint, JudgeUrl, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, ModelNotFound
from antiphon.net.guard import Guard
from antiphon.net.urls import urls_in
from antiphon.settings.backends import BackendSettings, Kind
from antiphon.settings.load import endpoint
from antiphon.settings.schema import Settings
from antiphon.wire.json import JSONObject
from antiphon.wire.models import BackendHealth, Health, Model, ModelList, ModelMetadata, Provider

SAMPLE_BACKEND = "antiphon"
SAMPLE_NAME = "sample"
_SAMPLE_ID = f"{SAMPLE_BACKEND}/{SAMPLE_NAME}"

_START_WAIT = 0.2
"""Seconds that startup waits for model lists; slower ones arrive later."""
_LIST_AGE = 60.0
"""Age in seconds after which reading a model list refreshes it."""
_UNKNOWN_AGE = 5.0
"""Age in seconds after which a request for an unlisted model refreshes the lists."""
_HEALTH_AGE = 5.0
"""Age in seconds after which the health of a backend is checked again."""
_MAX_NAMED = 10
_SIMILAR = 0.75
"""Similarity from which on a model is suggested for an unknown one."""
_BACKEND_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_VARIABLES = {"openai": "OPENAI_API_KEY", "ollama": "OLLAMA_HOST"}
"""Variables that connect the backends with these names."""


@dataclass(frozen=True)
class _Backend:
    settings: BackendSettings
    chat_model: HttpChatModel
    text_model: HttpChatModel
    listing: Listing
    count_tokens: CountTokens | None
    """Counts as the backend does; None if the backend cannot."""
    judge_url: JudgeUrl | None
    """Judges the URLs that requests name; None if they may be private."""
    probe: EmbeddingProbe
    """Finds out whether the backend's only model computes embeddings."""

    def resolved(self, name: str) -> ResolvedModel:
        return ResolvedModel(
            self.chat_model,
            name,
            f"{self.settings.name}/{name}",
            text_model=self.text_model,
            count_tokens=self.count_tokens,
            judge_url=self.judge_url,
        )

    async def models(self) -> list[Model]:
        """Return the listed models with the backend's name in their IDs."""
        name, listed = self.settings.name, self.listing.models or {}
        embeds = await self.probe.embeds(listed)
        return [
            Model(
                id=f"{name}/{model.id}",
                created=model.created,
                owned_by=model.owned_by,
                custom_metadata=ModelMetadata.of(name, model.id, embeds=embeds),
            )
            for model in listed.values()
        ]

    def health(self) -> BackendHealth:
        problem = self.listing.problem or ("" if self.listing.was_asked else "has not answered yet")
        name = self.settings.name
        return BackendHealth(name=name, status="Error" if problem else "OK", message=problem)

    def provider(self) -> Provider:
        problem = self.listing.problem
        health = Health("OK") if problem is None else Health("Error", problem)
        kind = "openai" if self.settings.kind == "other" else self.settings.kind
        return Provider(provider_id=self.settings.name, provider_type=f"remote::{kind}", health=health)


class Models:
    """The models of all backends and the built-in sample.

    Implements `engine.ports.ModelCatalogue`. A model ID is `backend/model`. The part after the first slash is
    sent to the backend unchanged, listed or not, since backends accept names that they don't list. An
    exception is llama.cpp, whose loaded model answers for any name. An ID without a backend works if exactly
    one backend lists it.
    """

    def __init__(self, guard: Guard, trace_headers: TraceHeaders | None = None) -> None:
        self._guard = guard
        self._trace_headers = trace_headers
        self._clients = Clients()
        self._backends: dict[str, _Backend] = {}
        self._sample = SampleModel()

    @classmethod
    async def open(
        cls,
        settings: Settings,
        ports: Mapping[int, Kind] = USUAL_PORTS,
        trace_headers: TraceHeaders | None = None,
    ) -> "Models":
        """Find local servers and start to load model lists.

        An unreachable backend isn't an error.

        Args:
            settings: The configured backends.
            ports: The ports to search for local servers, with the kind usual on each.
            trace_headers: Returns the headers that continue a trace in backends; None without traces.

        Raises:
            ConfigError: An entry of `allow_hosts` is invalid.
        """
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            models = cls(Guard(settings.allow_hosts), trace_headers)
            stack.push_async_callback(models.close)
            for backend in settings.models.values():
                client = models._clients.of(backend)
                models._add(backend, client, Listing(client, backend))
            asking = models._refresh(0.0)
            if settings.discover:
                names = {*settings.models, SAMPLE_BACKEND}
                taken = {settings.port, *_local_ports(settings.models.values())}
                for found in await discover(models._clients.direct, names, taken, ports):
                    models._add_found(found)
            if asking:
                # The lists were already loading during the discovery.
                await asyncio.wait(asking, timeout=max(0.0, began + _START_WAIT - time.monotonic()))
            # Startup succeeded, so the stack must not close the client.
            stack.pop_all()
            return models

    def _add(self, backend: BackendSettings, client: Client, listing: Listing) -> None:
        if self._trace_headers is not None:
            client = TracedClient(client, self._trace_headers)
        chat_model = HttpChatModel(client, backend)
        text_model = HttpChatModel(client, backend, TEXT)
        count_tokens = chat_model.count_tokens if can_count(backend.kind) else None
        judge_url = None if backend.private_urls else self._guard.judge
        self._backends[backend.name] = _Backend(
            backend,
            chat_model,
            text_model,
            listing,
            count_tokens,
            judge_url,
            EmbeddingProbe(chat_model, backend),
        )

    def _add_found(self, found: Found) -> None:
        client = self._clients.direct
        listing = Listing.known(client, found.backend, found.models, found.seconds)
        self._add(found.backend, client, listing)

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model with an ID.

        Raises:
            ModelNotFound: No backend has the model.
            InvalidRequest: Several backends list the model (code `model_ambiguous`).
        """
        if model_id == _SAMPLE_ID:
            return ResolvedModel(self._sample, SAMPLE_NAME, _SAMPLE_ID)
        name, _, rest = model_id.partition("/")
        if rest and (backend := self._backends.get(name)):
            if backend.settings.kind == "llamacpp" and not await _lists(backend, rest):
                raise ModelNotFound(self._unknown(model_id), model_id)
            return backend.resolved(rest)
        found = await self._find(model_id)
        if len(found) == 1:
            return found[0]
        if found:
            named = ", ".join(model.id for model in found[:_MAX_NAMED])
            raise InvalidRequest(
                f"The model ID {_quoted(model_id)} is ambiguous. Several backends have this model. "
                f"Use one of {named}.",
                code="model_ambiguous",
                param="model",
            )
        if model_id == SAMPLE_NAME:
            return ResolvedModel(self._sample, SAMPLE_NAME, _SAMPLE_ID)
        only = list(self._backends.values())
        if len(only) == 1 and only[0].listing.models is None and model_id and "/" not in model_id:
            # The only backend has no model list, so its own response is the best one, even if it is an error.
            # Before a slash, an id may have the name of another backend, which is misspelled or was removed.
            return only[0].resolved(model_id)
        raise ModelNotFound(self._unknown(model_id), model_id)

    async def _find(self, name: str) -> list[ResolvedModel]:
        """Return the models listed as `name`; refresh the lists if there are none."""
        first = [b.listing.refresh(_UNKNOWN_AGE) for b in self._backends.values() if b.listing.models is None]
        await _finished([task for task in first if task is not None])
        if not (found := self._listed(name)):
            await _finished(self._refresh(_UNKNOWN_AGE))
            found = self._listed(name)
        return found

    def _listed(self, name: str) -> list[ResolvedModel]:
        found = ((backend, backend.listing.find(name)) for backend in self._backends.values())
        return [backend.resolved(full) for backend, full in found if full is not None]

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Send a request to another endpoint of the model's backend.

        Raises:
            ModelNotFound: No backend has the model.
            InvalidRequest: The model ID is ambiguous, the model doesn't support the endpoint, or the request
                names a URL that the backend must not fetch.
            UpstreamError: The backend failed.
        """
        found = await self.resolve(request["model"], context)
        if not isinstance(found.chat_model, HttpChatModel):
            raise InvalidRequest(
                f"The model {found.id!r} doesn't support {endpoint}.",
                code="model_not_supported",
                param="model",
            )
        if found.judge_url is not None:
            for url, path in urls_in(request):
                await found.judge_url(url, path)
        return await found.chat_model.ask(endpoint, {**request, "model": found.name})

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        """Return `inner` unchanged, since these models call tools for real."""
        return inner

    async def list_models(self) -> ModelList:
        """Return every listed model as `backend/model`, sorted, with the sample last."""
        await _finished(self._refresh(_LIST_AGE))
        of_backends = await asyncio.gather(*(backend.models() for backend in self._backends.values()))
        models = sorted((model for each in of_backends for model in each), key=lambda model: model.id)
        sample = ModelMetadata.of(SAMPLE_BACKEND, SAMPLE_NAME)
        return ModelList(
            data=[*models, Model(id=_SAMPLE_ID, owned_by=SAMPLE_BACKEND, custom_metadata=sample)]
        )

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the ID of the only listed embedding model."""
        listed = (await self.list_models()).data
        metadata = {model.id: model.custom_metadata for model in listed}
        embedding = [name for name, its in metadata.items() if its and its.model_type == "embedding"]
        return embedding[0] if len(embedding) == 1 else None

    async def providers(self) -> list[Provider]:
        """Return the backends by name, the sample last, after a refresh of their lists."""
        await _finished(self._refresh(_LIST_AGE))
        backends = [self._backends[name].provider() for name in sorted(self._backends)]
        return [*backends, Provider(provider_id=SAMPLE_BACKEND, provider_type="inline::sample")]

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        """Return the health of the backends by name, which was checked a few seconds ago.

        Args:
            seconds: Time limit for new checks; slower ones count in later results.
        """
        tasks = [backend.listing.check(_HEALTH_AGE) for backend in self._backends.values()]
        if running := [task for task in tasks if task is not None]:
            await asyncio.wait(running, timeout=seconds)
        return [self._backends[name].health() for name in sorted(self._backends)]

    def calls_in_progress(self) -> int:
        """Return the number of calls of backends that are in progress."""
        return self._clients.calls_in_progress

    def notices(self) -> list[str]:
        """Return a line per backend with its URL, origin, and state."""
        if not self._backends:
            return [
                "no backend found; set OPENAI_API_KEY, start Ollama, or add [models.NAME] to antiphon.toml",
                f"{_SAMPLE_ID} answers without a backend; it isn't a language model",
            ]
        return [_line(backend) for backend in self._backends.values()]

    async def close(self) -> None:
        """Close all connections."""
        for backend in self._backends.values():
            await backend.listing.close()
        await self._clients.close()

    def _refresh(self, max_age: float) -> list[asyncio.Task[None]]:
        tasks = [backend.listing.refresh(max_age) for backend in self._backends.values()]
        return [task for task in tasks if task is not None]

    def _unknown(self, model_id: str) -> str:
        listed = [f"{n}/{m}" for n, b in self._backends.items() for m in b.listing.models or ()]
        known = [*sorted(listed), _SAMPLE_ID]
        close = difflib.get_close_matches(model_id[:200], known, n=_MAX_NAMED, cutoff=0.4)
        meant = difflib.get_close_matches(model_id[:200], close, n=1, cutoff=_SIMILAR)
        guess = f" Did you mean {meant[0]!r}?" if meant else ""
        named = [*close, *(name for name in known if name not in close)][:_MAX_NAMED]
        more = f" and {len(known) - len(named)} more" if len(known) > len(named) else ""
        silent = {n: b.listing.problem for n, b in self._backends.items() if b.listing.problem}
        unasked = ""
        if silent:
            told = "; ".join(f"{name} ({problem})" for name, problem in silent.items())
            full = _quoted(f"{next(iter(silent))}/{model_id}")
            unasked = f" Backends without a model list: {told}. Use {full} to send the request anyway."
        missing = self._missing_backend(model_id)
        problem = f"The model {_quoted(model_id)} does not exist.{missing}{guess}"
        return f"{problem} Use one of {', '.join(named)}{more}.{unasked}"

    def _missing_backend(self, model_id: str) -> str:
        """Return a sentence about a backend that a model ID names and that does not exist, or nothing."""
        name, slash, _ = model_id.partition("/")
        if not slash or name in self._backends or not _BACKEND_NAME.fullmatch(name) or name == SAMPLE_BACKEND:
            return ""
        way = f"set {_VARIABLES[name]}" if name in _VARIABLES else f"add [models.{name}] to antiphon.toml"
        if name in USUAL_PORTS.values():  # The discovery looks for servers only at start-up.
            way = f"restart Antiphon if that server was started later, or {way}"
        return f" No backend is named {name!r}; {way} to connect one."


async def _lists(backend: _Backend, name: str) -> bool:
    """Return whether a backend lists a model, or has no model list."""
    listing = backend.listing
    if listing.find(name) is None and (refreshing := listing.refresh(_UNKNOWN_AGE)) is not None:
        await _finished([refreshing])
    return listing.models is None or listing.find(name) is not None


async def _finished(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for `tasks`, which are shared: cancelling this wait does not cancel them."""
    if tasks:
        await asyncio.wait(tasks)


def _local_ports(backends: Iterable[BackendSettings]) -> set[int]:
    ends = (endpoint(backend.base_url) for backend in backends if backend.unix_socket is None)
    return {port for host, port in ends if host == "127.0.0.1"}


def _quoted(model_id: str) -> str:
    return repr(model_id if len(model_id) <= 100 else model_id[:100] + "...")


def _line(backend: _Backend) -> str:
    """Return `ollama at http://127.0.0.1:11434 (found): 3 models, 12 ms` or the like."""
    parts = urlsplit(backend.settings.base_url)
    is_direct = backend.settings.proxy is None and backend.settings.unix_socket is None
    way = "" if is_direct else f", through {place_of(backend.settings)}"
    listing = backend.listing
    if listing.problem is not None:
        # The line has the address already.
        state = listing.problem.replace(
            f"cannot connect to {place_of(backend.settings)}: ", "cannot connect: "
        )
    elif listing.models is None:
        state = "has not listed its models yet"
    else:
        count = len(listing.models)
        state = f"{count} model{'' if count == 1 else 's'}"
        if listing.seconds is not None:
            state += f", {listing.seconds * 1000:.0f} ms"
    url = f"{parts.scheme}://{parts.netloc}"
    return f"{backend.settings.name} at {url} ({backend.settings.origin}){way}: {state}"
