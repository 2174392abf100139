"""Models, providers, routes, health and version of the server.

The shapes beyond those of OpenAI's API are llama-stack's.
"""

import re
from typing import Annotated, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.errors import ErrorBody
from antiphon.wire.json import JSONObject

ModelType = Literal["llm", "embedding", "rerank"]


class ModelMetadata(Struct, kw_only=True):
    """Model's metadata for clients of llama-stack."""

    model_type: ModelType
    provider_id: str
    """Name of the backend."""
    provider_resource_id: str
    """Name of the model at the backend."""

    @classmethod
    def of(cls, backend: str, name: str, *, embeds: bool | None = None) -> Self:
        """Return the metadata of the model `name` of a backend.

        Args:
            backend: Name of the backend.
            name: Name of the model at the backend.
            embeds: Whether the model computes embeddings; None derives it from the name.
        """
        model_type: ModelType = _type_of(name) if embeds is None else "embedding" if embeds else "llm"
        return cls(model_type=model_type, provider_id=backend, provider_resource_id=name)


# Most model lists contain no types, but the names of embedding models follow conventions.
_EMBEDDING_NAME = re.compile(
    r"embed|(?:^|[/_.-])(?:e5|bge|gte|minilm|mpnet|paraphrase)(?:[-_.:]|$)", re.IGNORECASE
)


def _type_of(name: str) -> ModelType:
    """Return the type of a model by its name."""
    if "rerank" in name.lower():
        return "rerank"
    return "embedding" if _EMBEDDING_NAME.search(name) else "llm"


class Model(Struct, kw_only=True):
    """Model that the server offers."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    custom_metadata: ModelMetadata | UnsetType = UNSET


class ModelResource(Model, kw_only=True):
    """Model with the keys of llama-stack's API of 2025 too."""

    identifier: str
    """Same as `id`."""
    provider_id: str
    provider_resource_id: str
    type: Literal["model"] = "model"
    model_type: ModelType
    api_model_type: ModelType
    """Same as `model_type`."""
    metadata: JSONObject
    """Data that the registration of the model contained."""

    @classmethod
    def of(cls, model: Model, metadata: JSONObject | None = None) -> Self:
        """Return a model with all keys."""
        about = model.custom_metadata
        if about is UNSET:
            about = ModelMetadata.of(model.owned_by, model.id)
        return cls(
            id=model.id,
            created=model.created,
            owned_by=model.owned_by,
            custom_metadata=about,
            identifier=model.id,
            provider_id=about.provider_id,
            provider_resource_id=about.provider_resource_id,
            model_type=about.model_type,
            api_model_type=about.model_type,
            metadata=metadata or {},
        )


class ResourceList(Struct, kw_only=True):
    """Response to `GET /v1/models` for clients of llama-stack of 2025."""

    object: Literal["list"] = "list"
    data: list[ModelResource]


class RegisterModel(Struct, kw_only=True):
    """Body of `POST /v1/models`."""

    model_id: Annotated[str, Meta(min_length=1, max_length=256)]
    provider_id: Annotated[str, Meta(max_length=256)] | None = None
    provider_model_id: Annotated[str, Meta(max_length=256)] | None = None
    """Name of the model at the provider; if absent, `model_id`."""
    model_type: ModelType | None = None
    metadata: JSONObject | None = None


class ModelList(Struct, kw_only=True):
    """Response to `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[Model]


class MessagesModel(Model, kw_only=True):
    """Model with the keys of Anthropic's API too."""

    type: Literal["model"] = "model"
    display_name: str
    created_at: str
    lifecycle: Literal["active"] = "active"


class MessagesModelList(Struct, kw_only=True):
    """Response to `GET /v1/models` for clients of Anthropic's API."""

    object: Literal["list"] = "list"
    data: list[MessagesModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


class Health(Struct, frozen=True):
    """Health of the server or of a provider."""

    status: Literal["OK", "Error"]
    message: str = ""


class BackendHealth(Struct, frozen=True, kw_only=True):
    """Health of a backend."""

    name: str
    status: Literal["OK", "Error"]
    message: str = ""


class Readiness(Struct, frozen=True, kw_only=True):
    """Response to `GET /v1/ready`; one with an error has status 503.

    Messages can contain addresses, so that they are empty for clients without a key.
    """

    status: Literal["OK", "Error"]
    database: Health
    backends: list[BackendHealth]
    error: ErrorBody | UnsetType = UNSET


class Provider(Struct, kw_only=True):
    """Provider of a part of the API, such as a backend."""

    api: str = "inference"
    """Part of the API, by llama-stack's name."""
    provider_id: str
    provider_type: str
    config: JSONObject = {}
    """Always empty, because the settings of a provider are not public."""
    health: Health = Health("OK")


class ProviderList(Struct, kw_only=True):
    """Response to `GET /v1/providers`."""

    data: list[Provider]


class Version(Struct):
    """Version of the server."""

    version: str


class RouteInfo(Struct, kw_only=True):
    """Route of the API."""

    route: str
    method: str
    provider_types: list[str] = []


class RouteList(Struct, kw_only=True):
    """List of all routes."""

    data: list[RouteInfo]
