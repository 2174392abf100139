"""What a server that only replays tells of its models: by their backends, as when they were recorded."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.wire.models import Model, ModelMetadata, Provider

RECORDINGS = "recording"
"""What stands as the provider of models whose backend nobody named."""

_HOSTS = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".ml.cloud.ibm.com", "watsonx"),
    (":11434", "ollama"),
    (":8000", "vllm"),
)
"""How the hosts of llama-stack's providers end, and what its tests call those: its files hold URLs only."""


def listed_models(collection: Collection) -> list[Model]:
    """Returns every recorded model under its own name and, as far as they are known, under its backends'.

    Both are good in requests.
    """
    names = {(RECORDINGS, name) for name in (*collection.chats.models, *collection.tools.models)}
    models = [_model(name, RECORDINGS, name) for _, name in names]
    models += [_model(f"{backend}/{name}", backend, name) for backend, name in _known(collection)]
    return sorted(models, key=lambda model: model.id)


def listed_providers(collection: Collection) -> list[Provider]:
    """Returns the recordings as a provider, and those backends of which they are."""
    backends = sorted({backend for backend, _ in _known(collection)})
    recorded = [Provider(provider_id=name, provider_type=f"remote::{name}") for name in backends]
    return [Provider(provider_id=RECORDINGS, provider_type="inline::recording"), *recorded]


def backend_at(url: str) -> str | None:
    """Returns what llama-stack's tests call the provider at a recorded URL; None for one they do not know."""
    try:
        host = urlsplit(url).netloc
    except ValueError:
        return None
    if host.startswith("bedrock-runtime."):
        return "bedrock"
    return next((name for end, name in _HOSTS if host.endswith(end)), None)


def _known(collection: Collection) -> set[tuple[str, str]]:
    entries = (*collection.chats.entries, *collection.tools.entries)
    return set(_named(entry.call for entry in entries))


def _named(calls: Iterable[RecordedCall]) -> Iterator[tuple[str, str]]:
    for call in calls:
        name = call.request.get("model")
        backend = call.backend or (backend_at(call.address.url) if call.hash_name else None)
        if backend and call.kind != "tool" and isinstance(name, str):
            yield backend, name


def _model(model_id: str, backend: str, name: str) -> Model:
    return Model(id=model_id, owned_by=backend, custom_metadata=ModelMetadata.of(backend, name))
