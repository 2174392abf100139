"""Models as resources, which clients of llama-stack list and register."""

from typing import cast

import msgspec

from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.store import Store
from antiphon.store.models import RegisteredModel
from antiphon.wire.json import JSONObject
from antiphon.wire.models import Model, ModelMetadata, ModelResource, ModelType, RegisterModel

MAX_MODELS = 1000
"""The most registered models of one owner."""
MAX_METADATA = 16 * 1024
"""The most bytes of a registered model's `metadata`."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JSONObject).decode


class RegisteredModels:
    """The use cases of models as resources.

    A registration announces a model: from then on it is in the list of its owner. It gives a backend no model
    that the backend does not have.
    """

    def __init__(self, store: Store, catalogue: ModelCatalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    async def list(self, owner: str) -> list[ModelResource]:
        """Return the models of the backends, then the owner's registered ones."""
        listed = [ModelResource.of(model) for model in (await self._catalogue.list_models()).data]
        known = {model.id for model in listed}
        registered = await self._store.models.all(owner)
        return listed + [_resource(model) for model in registered if model.id not in known]

    async def register(self, context: RequestContext, body: RegisterModel) -> ModelResource:
        """Return the model, which is registered unless a backend lists it.

        A second registration replaces the first one.

        Raises:
            InvalidRequest: The provider does not exist, the model has another name there, or the owner has
                too many models.
            NotFound: The body names no provider, and no backend has the model.
        """
        provider_id, model_id = await self._named(context, body)
        full = f"{provider_id}/{model_id}"
        for model in (await self._catalogue.list_models()).data:
            if model.id in (body.model_id, full):
                return ModelResource.of(model)
        metadata = _encode(body.metadata or {})
        if len(metadata) > MAX_METADATA:
            raise _invalid("metadata", f"expected at most {MAX_METADATA} bytes of JSON")
        record = RegisteredModel(
            id=full,
            created_at=context.clock(),
            provider_id=provider_id,
            provider_model_id=model_id,
            model_type=body.model_type or ModelMetadata.of(provider_id, model_id).model_type,
            metadata=metadata.decode(),
        )
        if not await self._store.models.put(context.owner, record, MAX_MODELS):
            raise _invalid("model_id", f"expected at most {MAX_MODELS} registered models")
        return _resource(record)

    async def _named(self, context: RequestContext, body: RegisterModel) -> tuple[str, str]:
        """Return the provider and its name for the model."""
        name = body.provider_model_id or body.model_id
        if body.model_id not in (name, f"{body.provider_id}/{name}"):
            raise _invalid("model_id", f"this server gives models no other names. Use the model '{name}'")
        if not body.provider_id:
            found = await self._catalogue.resolve(body.model_id, context)
            return found.id.removesuffix(f"/{found.name}"), found.name
        if body.provider_id not in {provider.provider_id for provider in await self._catalogue.providers()}:
            raise _invalid("provider_id", f"the provider '{body.provider_id}' does not exist")
        return body.provider_id, name.removeprefix(f"{body.provider_id}/")


def _resource(model: RegisteredModel) -> ModelResource:
    about = ModelMetadata(
        # The column has what the body of the registration was allowed to contain.
        model_type=cast(ModelType, model.model_type),
        provider_id=model.provider_id,
        provider_resource_id=model.provider_model_id,
    )
    listed = Model(
        id=model.id, created=int(model.created_at), owned_by=model.provider_id, custom_metadata=about
    )
    return ModelResource.of(listed, _decode(model.metadata))


def _invalid(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {why}.", code="invalid_value", param=param)
