"""Compaction in the API: its requests, its response and its trigger item."""

import msgspec

from antiphon.engine.compactor import Compactor
from antiphon.engine.request.summary import kept_messages, without_loaded_files
from antiphon.engine.request_context import RequestContext
from antiphon.service.items import shown_attachments
from antiphon.service.responses.tokens import estimate_tokens
from antiphon.wire.chat import ChatRequest
from antiphon.wire.compaction import CompactedResponse, CompactResponse
from antiphon.wire.items import CompactionTrigger, Item
from antiphon.wire.responses import CreateResponse, InputTokensDetails, OutputTokensDetails, Usage


async def estimate(chat: ChatRequest) -> int:
    """Return an estimate of the tokens in a chat request."""
    return await estimate_tokens(chat["messages"], chat.get("tools"), chat.get("response_format"))


def compacts(request: CreateResponse) -> bool:
    """Return whether a request allows compaction, at once or over a threshold."""
    return bool(request.context_management) or _has_trigger(request)


def without_trigger(request: CreateResponse) -> CreateResponse:
    """Return the request without a final trigger item, which isn't part of a context."""
    if not (_has_trigger(request) and isinstance(request.input, list)):
        return request
    return msgspec.structs.replace(request, input=request.input[:-1])


def gathered_by(body: CompactResponse) -> CreateResponse:
    """Return a request for a response with the same context as a compaction request."""
    return CreateResponse(
        model=body.model,
        input=body.input,
        previous_response_id=body.previous_response_id,
        store=False,
        prompt_cache_key=body.prompt_cache_key,
        prompt_cache_retention=body.prompt_cache_retention,
        prompt_cache_options=body.prompt_cache_options,
        service_tier=body.service_tier,
        image=body.image,
    )


async def compacted(
    items: list[Item], instructions: str | None, compactor: Compactor, context: RequestContext
) -> CompactedResponse:
    """Summarize `items`, and return the kept messages followed by the compaction.

    As in api.openai.com's responses, the kept messages get new ids.

    Raises:
        UpstreamError: The backend failed, or returned no complete summary.
        InvalidRequest: No chat backend accepts the items.
    """
    summary = await compactor.sum_up(items, instructions)
    response_id, created_at = context.ids("resp"), int(context.clock())
    output: list[Item] = [
        shown_attachments(
            msgspec.structs.replace(without_loaded_files(message), id=context.ids("msg"), status="completed")
        )
        for message in kept_messages(items)
    ]
    output.append(compactor.item(summary, None, items))
    usage = compactor.usage or Usage(
        input_tokens_details=InputTokensDetails(), output_tokens_details=OutputTokensDetails()
    )
    return CompactedResponse(id=response_id, created_at=created_at, output=output, usage=usage)


def _has_trigger(request: CreateResponse) -> bool:
    given = request.input
    return isinstance(given, list) and bool(given) and isinstance(given[-1], CompactionTrigger)
