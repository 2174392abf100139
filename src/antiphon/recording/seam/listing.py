"""Lists of models and providers on a server that only replays."""

from urllib.parse import urlsplit

from antiphon.recording.collection import Collection
from antiphon.wire.models import Model, ModelMetadata, Provider

RECORDINGS = "recording"
"""Provider of recorded models without a recorded backend."""

_HOSTS = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".ml.cloud.ibm.com", "watsonx"),
    (":11434", "ollama"),
    (":8000", "vllm"),
)
"""Ends of hosts, and the names of these providers in llama-stack's tests. Its files contain URLs only."""


def listed_models(collection: Collection) -> list[Model]:
    """Return the recorded models by name, with and without their known backends.

    Requests can use both forms.
    """
    names = collection.chat_models.keys() | collection.endpoint_models
    models = [_model(name, RECORDINGS, name) for name in names]
    models += [_model(f"{backend}/{name}", backend, name) for backend, name in _backend_models(collection)]
    return sorted(models, key=lambda model: model.id)


def listed_providers(collection: Collection) -> list[Provider]:
    """Return the recordings as a provider, and the recorded backends."""
    backends = sorted({backend for backend, _ in _backend_models(collection)})
    recorded = [Provider(provider_id=name, provider_type=f"remote::{name}") for name in backends]
    return [Provider(provider_id=RECORDINGS, provider_type="inline::recording"), *recorded]


def backend_at(url: str) -> str | None:
    """Return the name of a provider in llama-stack's tests by its URL, or None."""
    try:
        host = urlsplit(url).netloc
    except ValueError:
        return None
    if host.startswith("bedrock-runtime."):
        return "bedrock"
    return next((name for end, name in _HOSTS if host.endswith(end)), None)


def _backend_models(collection: Collection) -> set[tuple[str, str]]:
    """Return pairs of a backend and the name of a model."""
    found = set()
    for call in collection.calls:
        backend = call.backend or (backend_at(call.address.url) if call.hash_name else None)
        if backend and call.kind != "tool" and call.model is not None:
            found.add((backend, call.model))
    return found


def _model(model_id: str, backend: str, name: str) -> Model:
    return Model(id=model_id, owned_by=backend, custom_metadata=ModelMetadata.of(backend, name))
