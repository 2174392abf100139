"""The list of models, and of the backends that have them."""

from typing import Literal, Self

from msgspec import UNSET, Struct, UnsetType

from antiphon.wire.json import JSONObject


class ModelMetadata(Struct, kw_only=True):
    """What llama-stack's clients read of a model: its backend, and its name there."""

    model_type: Literal["llm", "embedding"]
    provider_id: str
    provider_resource_id: str

    @classmethod
    def of(cls, backend: str, name: str) -> Self:
        """Backends do not say what a model is for: those with `embed` in their name make embeddings."""
        model_type: Literal["llm", "embedding"] = "embedding" if "embed" in name.lower() else "llm"
        return cls(model_type=model_type, provider_id=backend, provider_resource_id=name)


class Model(Struct, kw_only=True):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    custom_metadata: ModelMetadata | UnsetType = UNSET


class ModelList(Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[Model]


class Health(Struct, frozen=True):
    status: Literal["OK", "Error"]
    message: str = ""


class Provider(Struct, kw_only=True):
    """What stands behind a part of the API, in llama-stack's shape. Its settings are not told."""

    api: str = "inference"
    provider_id: str
    provider_type: str
    config: JSONObject = {}
    health: Health = Health("OK")


class ProviderList(Struct, kw_only=True):
    data: list[Provider]


class Version(Struct):
    version: str


class RouteInfo(Struct, kw_only=True):
    route: str
    method: str
    provider_types: list[str] = []


class RouteList(Struct, kw_only=True):
    data: list[RouteInfo]
