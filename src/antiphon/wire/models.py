"""Models, providers, routes, health and version of the server.

The shapes beyond those of OpenAI's API are llama-stack's.
"""

from typing import Literal, Self

from msgspec import UNSET, Struct, UnsetType

from antiphon.wire.json import JSONObject


class ModelMetadata(Struct, kw_only=True):
    """Model's metadata for clients of llama-stack."""

    model_type: Literal["llm", "embedding"]
    provider_id: str
    """Name of the backend."""
    provider_resource_id: str
    """Name of the model at the backend."""

    @classmethod
    def of(cls, backend: str, name: str) -> Self:
        """Return the metadata of the model `name` of a backend."""
        # Backends do not report a model's type; embedding models have `embed` in their names.
        model_type: Literal["llm", "embedding"] = "embedding" if "embed" in name.lower() else "llm"
        return cls(model_type=model_type, provider_id=backend, provider_resource_id=name)


class Model(Struct, kw_only=True):
    """Model that the server offers."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    custom_metadata: ModelMetadata | UnsetType = UNSET


class ModelList(Struct, kw_only=True):
    """Response to `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[Model]


class Health(Struct, frozen=True):
    """Health of the server or of a provider."""

    status: Literal["OK", "Error"]
    message: str = ""


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
