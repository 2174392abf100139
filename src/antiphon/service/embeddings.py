"""Embeddings of client requests, files and queries, proxied to a backend."""

import math
from array import array
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from antiphon.decode.proxied import require
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, RecordingNotFound, UpstreamBroken
from antiphon.settings.embedding_inputs import EmbeddingInput, Role, usual_input
from antiphon.wire.json import JSONObject


class _Embedding(Struct):
    embedding: list[float]
    index: int | None = None


class _Reply(Struct):
    data: list[_Embedding]


class Embeddings:
    """The use cases of `/v1/embeddings`, routed like responses."""

    def __init__(self, catalogue: ModelCatalogue, inputs: Mapping[str, EmbeddingInput] | None = None) -> None:
        """Create the use cases.

        Args:
            catalogue: The models.
            inputs: The forms of texts by public model id, where they aren't the usual ones.
        """
        self._catalogue = catalogue
        self._inputs = inputs or {}

    async def create(self, body: JSONObject, context: RequestContext) -> JSONObject:
        """Return the backend's response to an embedding request, unchanged.

        Raises:
            InvalidRequest: `model` or `input` is missing or invalid.
            NotFound: No backend has the model.
            UpstreamError: The backend failed.
        """
        require(body, "model", str, "a string")
        require(body, "input", str | list, "a string or an array")
        if not body["input"]:
            raise InvalidRequest(
                "Invalid 'input': it must not be empty.", code="invalid_value", param="input"
            )
        return await self._embed(body, context)

    async def embed(
        self, model: str, texts: Sequence[str], role: Role, dimensions: int | None, context: RequestContext
    ) -> list[bytes]:
        """Return the vectors of texts as packed 32-bit floats, in the order of the texts.

        Args:
            model: Public id of the embedding model.
            texts: The texts.
            role: The role of the texts; many models want to know it.
            dimensions: Requested length of the vectors; None for the model's default.
            context: The context of the request.

        Raises:
            NotFound: No backend has the model.
            RecordingNotFound: Replay has no recording of the embeddings.
            UpstreamError: The backend failed, or did not return one valid vector per text.
        """
        prefix, input_type = (self._inputs.get(model) or usual_input(model)).of(role)
        plain: JSONObject = {"model": model, "input": list(texts), "encoding_format": "float"}
        if dimensions is not None:
            plain["dimensions"] = dimensions
        body: JSONObject = plain | {"input": [prefix + text for text in texts]}
        if input_type is not None:
            body["input_type"] = input_type
        try:
            answer = await self._embed(body, context)
        except RecordingNotFound as missing:
            # llama-stack and older versions of this server recorded texts as they are.
            if body == plain:
                raise
            try:
                answer = await self._embed(plain, context)
            except RecordingNotFound:
                raise missing from None
        try:
            reply = msgspec.convert(answer, _Reply)
        except msgspec.ValidationError as error:
            raise UpstreamBroken(f"{model}: the response contains no embeddings: {error}") from error
        if len(reply.data) != len(texts):
            raise UpstreamBroken(
                f"{model}: the response contains {len(reply.data)} embeddings for {len(texts)} texts"
            )
        ordered = sorted(enumerate(reply.data), key=lambda at: at[0] if at[1].index is None else at[1].index)
        return [_packed(model, each.embedding) for _, each in ordered]

    async def _embed(self, body: JSONObject, context: RequestContext) -> JSONObject:
        answer = await self._catalogue.ask("embeddings", body, context)
        if context.spend is not None:
            usage = answer.get("usage")
            total = usage.get("total_tokens") if isinstance(usage, dict) else None
            context.spend(total if isinstance(total, int) else len(msgspec.json.encode(body)) // 4)
        return answer


def _packed(model: str, vector: list[float]) -> bytes:
    try:
        packed = array("f", vector)
    except OverflowError as error:
        raise UpstreamBroken(f"{model}: an embedding contains a number that exceeds 32 bits") from error
    if not 0 < math.hypot(*packed) < math.inf:
        raise UpstreamBroken(f"{model}: an embedding is empty, zero or not finite")
    return packed.tobytes()
