"""Translation of a Responses request into a chat completion request."""

from collections.abc import Iterable, Sequence

import msgspec

from antiphon.engine.hosted.run import Offered
from antiphon.engine.request.available import loaded_in
from antiphon.engine.request.custom_tools import asked_for, structured_outputs
from antiphon.engine.request.functions import NO_FUNCTIONS, Functions, translate_tools
from antiphon.engine.request.messages import translate_items
from antiphon.engine.request.prompts import FilledPrompt
from antiphon.engine.request.tool_choice import NO_CHOICE, Chosen, choose
from antiphon.engine.sealed import Sealed
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage, ChatRequest, ChatTool
from antiphon.wire.configuration import JsonObjectFormat, JsonSchemaFormat
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSONObject
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tools import CustomGrammarFormat
from antiphon.wire.transformations import InputTransformation


class Translated(msgspec.Struct, frozen=True):
    """A chat request, and the information to parse its reply."""

    chat_request: ChatRequest
    """The request for the first model call."""
    functions: Functions
    """The functions of the request."""
    later_tools: Sequence[ChatTool]
    """The tools of the response's next model calls."""
    input_of: str | None = None
    """The backend's name of the custom tool whose input is the reply."""
    withheld: Sequence[InputTransformation] = ()
    """The reasoning of the context that the model does not receive."""


async def translate(
    request: CreateResponse,
    items: list[Item],
    model: str,
    capabilities: Capabilities,
    offered: Offered | None = None,
    sealed: Sealed | None = None,
) -> Translated:
    """Translate a request.

    Args:
        request: The request.
        items: The whole context.
        model: The backend's own name of the model.
        capabilities: The features of the backend.
        offered: The functions of the hosted tools that this server runs.
        sealed: Encryption of reasoning and summaries.

    Raises:
        InvalidRequest: No chat backend supports a part of the request.
    """
    tools = request.tools or []
    functions, chosen = NO_FUNCTIONS, NO_CHOICE
    if tools:
        functions = translate_tools(tools, capabilities, offered or {}, loaded_in(request, items))
    if tools or request.tool_choice is not None:
        chosen = choose(request.tool_choice, tools, functions, capabilities)
    prompt = request.prompt if isinstance(request.prompt, FilledPrompt) else None
    if prompt is not None and prompt.parts:
        items = [*items, Message(role="user", content=[*prompt.parts])]
    withheld: list[InputTransformation] = []
    messages = await translate_items(items, capabilities, functions.renamed, sealed or Sealed(), withheld)
    instructions = request.instructions
    held = _held_to_a_grammar(chosen, functions, capabilities)
    if held is not None:
        instructions = "\n\n".join(filter(None, (instructions, asked_for(held, functions.custom[held]))))
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    if prompt is not None:
        messages.insert(0, {"role": "system", "content": prompt.text})
    chat: ChatRequest = {"model": model, "messages": messages}
    if request.stream:
        chat["stream"] = True
        if capabilities.stream_usage:
            chat["stream_options"] = {"include_usage": True}
    if held is None and chosen.tools:
        chat["tools"] = [*chosen.tools]
        if chosen.choice is not None:
            chat["tool_choice"] = chosen.choice
        if request.parallel_tool_calls is not None and capabilities.parallel_tool_calls:
            chat["parallel_tool_calls"] = request.parallel_tool_calls
    _sampling(chat, request, capabilities)
    if held is None:
        _format(chat, request, capabilities)
    else:
        text_format = functions.custom[held].format
        assert isinstance(text_format, CustomGrammarFormat)
        chat["structured_outputs"] = structured_outputs(text_format)
    _accounting(chat, request, capabilities)
    return Translated(chat, functions, chosen.later_tools, held, withheld)


def with_loaded(
    translated: Translated,
    request: CreateResponse,
    items: Iterable[Item],
    capabilities: Capabilities,
    offered: Offered,
) -> Translated:
    """Return a translation with the functions that searches in its response have found.

    Args:
        translated: The translation.
        request: The request.
        items: The context, and the items of the response.
        capabilities: The features of the backend.
        offered: The functions of the hosted tools that this server runs.
    """
    tools = request.tools or []
    functions = translate_tools(tools, capabilities, offered, loaded_in(request, items))
    chosen = choose(request.tool_choice, tools, functions, capabilities)
    chat = translated.chat_request.copy()
    chat["tools"] = [*chosen.tools]
    return Translated(chat, functions, chosen.later_tools, translated.input_of)


def continued(
    translated: Translated, messages: list[ChatMessage], *, spent: int, is_first: bool
) -> ChatRequest:
    """Return the request for the response's next model call.

    A tool choice requires only one call, so after the first the model is free.

    Args:
        translated: The translated request of the client.
        messages: The messages of the response so far.
        spent: Output tokens of its model calls so far.
        is_first: Whether this is the first model call.
    """
    chat = translated.chat_request.copy()
    chat["messages"] = [*chat["messages"], *messages]
    if not is_first and chat.get("tool_choice", "none") != "none":
        chat["tools"] = [*translated.later_tools]
        chat["tool_choice"] = "auto"
    if "max_completion_tokens" in chat:
        chat["max_completion_tokens"] -= spent
    elif "max_tokens" in chat:
        chat["max_tokens"] -= spent
    return chat


def _held_to_a_grammar(chosen: Chosen, functions: Functions, capabilities: Capabilities) -> str | None:
    """Return the tool to call, if the backend can enforce the tool's grammar."""
    return chosen.only if capabilities.structured_outputs and chosen.only in functions.grammars else None


def _sampling(chat: ChatRequest, request: CreateResponse, capabilities: Capabilities) -> None:
    if request.temperature is not None:
        chat["temperature"] = request.temperature
    if request.top_p is not None:
        chat["top_p"] = request.top_p
    if request.presence_penalty is not None:
        chat["presence_penalty"] = request.presence_penalty
    if request.frequency_penalty is not None:
        chat["frequency_penalty"] = request.frequency_penalty
    if request.max_output_tokens is not None:
        if capabilities.max_completion_tokens:
            chat["max_completion_tokens"] = request.max_output_tokens
        else:
            chat["max_tokens"] = request.max_output_tokens
    wants_logprobs = "message.output_text.logprobs" in (request.include or ())
    if capabilities.logprobs and (wants_logprobs or request.top_logprobs):
        chat["logprobs"] = True
        if request.top_logprobs:
            chat["top_logprobs"] = request.top_logprobs
    if request.reasoning and request.reasoning.effort and capabilities.reasoning_effort:
        chat["reasoning_effort"] = request.reasoning.effort


def _format(chat: ChatRequest, request: CreateResponse, capabilities: Capabilities) -> None:
    if request.text is None:
        return
    if request.text.verbosity is not None and capabilities.verbosity:
        chat["verbosity"] = request.text.verbosity
    text_format = request.text.format
    if isinstance(text_format, JsonSchemaFormat):
        schema: JSONObject = {"name": text_format.name, "schema": text_format.schema}
        if text_format.description:
            schema["description"] = text_format.description
        if isinstance(text_format.strict, bool):
            schema["strict"] = text_format.strict
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif isinstance(text_format, JsonObjectFormat):
        chat["response_format"] = {"type": "json_object"}


def _accounting(chat: ChatRequest, request: CreateResponse, capabilities: Capabilities) -> None:
    if request.service_tier is not None and capabilities.service_tier:
        chat["service_tier"] = request.service_tier
    if capabilities.prompt_cache:
        if request.prompt_cache_key is not None:
            chat["prompt_cache_key"] = request.prompt_cache_key
        if request.prompt_cache_retention is not None:
            chat["prompt_cache_retention"] = request.prompt_cache_retention
        if request.prompt_cache_options is not None:
            options = request.prompt_cache_options
            chat["prompt_cache_options"] = {"mode": options.mode, "ttl": options.ttl}
    if capabilities.safety_identifier:
        if request.safety_identifier is not None:
            chat["safety_identifier"] = request.safety_identifier
        if request.user is not None:
            chat["user"] = request.user
