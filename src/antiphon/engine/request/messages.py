"""Translation of items into chat messages."""

from collections import defaultdict, deque
from collections.abc import Sequence
from functools import cached_property

import msgspec
from msgspec import UnsetType

from antiphon.engine.client.kinds import kind_of_call, kind_of_output
from antiphon.engine.client.pairs import answered_id, called_id, words_of
from antiphon.engine.hosted.items import ForModel, denied, for_model
from antiphon.engine.hosted.kinds import kind_of
from antiphon.engine.request.content import plain_text, tool_output, user_content
from antiphon.engine.request.custom_tools import call_as_function, native_call
from antiphon.engine.request.foreign import as_message
from antiphon.engine.request.functions import Renamed, flat_name, hosted_name
from antiphon.engine.request.summary import as_told
from antiphon.engine.sealed import Sealed, SealedReasoning
from antiphon.engine.slices import SLICE, in_slices
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import (
    ChatContentPart,
    ChatMessage,
    ChatToolCall,
    ReasoningDetail,
)
from antiphon.wire.content import ToolOutputPart
from antiphon.wire.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    Message,
    Reasoning,
)
from antiphon.wire.transformations import InputTransformation

_NO_BOXES = Sealed()
_PENDING = "The result is pending. It arrives in a later message; go on without it."
"""The output of an `async` call for the model. Chat Completions knows only one output of a call."""


async def translate_items(
    items: list[Item],
    capabilities: Capabilities,
    renamed: Renamed | None = None,
    sealed: Sealed = _NO_BOXES,
    withheld: list[InputTransformation] | None = None,
) -> list[ChatMessage]:
    """Translate the whole context, oldest item first.

    An assistant message, the tool calls after it and the reasoning before it become one message. The tool
    outputs follow this message directly, in the order of the calls. A user message after them has the
    outputs' images and files, which tool messages can't contain. The output of an `async` call is a user
    message at the output's own place.

    Args:
        items: The items of the context.
        capabilities: The features of the backend.
        renamed: The hosted functions that have another name at the backend.
        sealed: Encryption of reasoning and summaries.
        withheld: Receives the reasoning items of which nothing is readable.

    Raises:
        InvalidRequest: Calls and outputs don't match (texts as on api.openai.com), or encrypted content that
            the model needs can't be decrypted.
    """
    translation = _Translation(items, capabilities, renamed or {}, sealed)
    if len(items) <= SLICE:
        translation.add(items)
    else:
        await in_slices(translation.add, items)
    if withheld is not None and translation.withheld:
        withheld += translation.withheld
    return translation.finish()


def translate_reply(
    items: list[Item],
    capabilities: Capabilities,
    renamed: Renamed,
    max_tool_calls: int | None,
    sealed: Sealed = _NO_BOXES,
) -> list[ChatMessage]:
    """Translate a reply of the model and its hosted calls, for the same response.

    The calls of one reply stay together; in a context, they look like calls of several replies. Skipped calls
    have an output that states the limit `max_tool_calls`.
    """
    translation = _Translation(items, capabilities, renamed, sealed, one_reply=True, limit=max_tool_calls)
    translation.add(items)
    return translation.finish()


class _Translation:
    def __init__(
        self,
        items: list[Item],
        capabilities: Capabilities,
        renamed: Renamed,
        sealed: Sealed,
        *,
        one_reply: bool = False,
        limit: int | None = None,
    ) -> None:
        self.withheld: list[InputTransformation] = []
        self._messages: list[ChatMessage] = []
        self._capabilities = capabilities
        self._renamed = renamed
        self._sealed = sealed
        self._one_reply = one_reply
        self._limit = limit
        self._items = items
        self._outputs, orphans = _outputs_by_call(items)
        self._assistant: ChatMessage | None = None
        self._answers: list[ChatMessage] = []
        self._shown: list[ChatContentPart] = []
        self._answered = False
        self._goes_on = False
        self._reasoning: list[str] = []
        self._details: list[ReasoningDetail] = []
        self._pending = dict.fromkeys(orphans, "a tool")
        """The names of the calls whose outputs are late, by call ID."""

    def add(self, items: Sequence[Item]) -> None:
        """Translate the next of the items."""
        for item in items:
            self._item(item)

    def finish(self) -> list[ChatMessage]:
        """Return the messages of all items."""
        self._flush()
        return self._messages

    @cached_property
    def _requests(self) -> dict[str | UnsetType | None, McpApprovalRequest]:
        return {item.id: item for item in self._items if isinstance(item, McpApprovalRequest)}

    def _item(self, item: Item) -> None:
        if isinstance(item, Message):
            if item.role == "assistant":
                self._assistant_text(item)
            else:
                self._flush()
                self._messages.append(self._message(item))
        elif isinstance(item, FunctionCall | CustomToolCall):
            self._call(item)
        elif (answered := answered_id(item)) is not None:
            self._output(item, answered)
        elif isinstance(item, Reasoning):
            self._open_reply()
            self._reason(item)
        elif isinstance(item, Compaction):
            self._flush()
            self._messages.append(as_told(self._sealed.compaction(item).summary))
        elif kind_of_call(item) is not None:
            self._call(item)
        elif kind_of(item) is not None:
            self._hosted_call(item.id, for_model(item, self._limit))
        elif isinstance(item, McpApprovalResponse):
            request = None if item.approve else self._requests.get(item.approval_request_id)
            if request is not None:
                self._hosted_call(request.id, denied(request, item))
        elif (foreign := as_message(item)) is not None:
            self._item(foreign)
        # Lists of tools, requests of approvals and updates of the configuration have no message.

    def _message(self, item: Message) -> ChatMessage:
        role = item.role
        if role == "developer" and not self._capabilities.developer_role:
            role = "system"
        return {
            "role": role,
            "content": user_content(item.content, breakpoints=self._capabilities.prompt_cache),
        }

    def _assistant_text(self, item: Message) -> None:
        text = plain_text(item.content)
        reply = self._open_reply(has_text=True)
        before = reply.get("content")
        reply["content"] = f"{before}\n{text}" if before and isinstance(before, str) else text

    def _reason(self, item: Reasoning) -> None:
        encrypted = self._sealed.reasoning(item)
        if encrypted is not None and encrypted.text:
            self._reasoning.append(encrypted.text)
        elif parts := item.content or item.summary:
            self._reasoning.extend(part.text for part in parts)
        else:
            self._withhold(item, encrypted)
        if (
            encrypted is not None and encrypted.source == self._sealed.source
        ):  # Other models can't read the details.
            self._details.extend(encrypted.details)

    def _withhold(self, item: Reasoning, encrypted: SealedReasoning | None) -> None:
        """Note reasoning without a text that only another server or another model can read."""
        if encrypted is None and isinstance(item.encrypted_content, str):
            self.withheld.append(InputTransformation(str(item.id), "organization_mismatch"))
        elif encrypted is not None and encrypted.source != self._sealed.source:
            self.withheld.append(InputTransformation(str(item.id), "model_mismatch"))

    def _call(self, item: Item) -> None:
        answer = self._answer(item)
        if answer is not None:
            self._add_call(_tool_call(item, self._capabilities, self._renamed), answer)

    def _output(self, item: Item, call_id: str) -> None:
        if call_id in self._pending:
            self._late_output(item, call_id)
        else:
            # Its message already follows the call. The next item belongs to a new reply.
            self._answered = self._assistant is not None

    def _answer(self, item: Item) -> str | list[ChatContentPart] | None:
        """Return the output of a call, or None for an unfinished call without one."""
        call_id = called_id(item) or ""
        outputs = self._outputs.get(call_id)
        status: object = getattr(item, "status", None)
        if isinstance(item, FunctionCall | CustomToolCall) and item.is_async is True:
            if outputs or status != "incomplete":
                self._pending[call_id] = item.name
                # In a context, the next text is the model's reaction.
                self._goes_on = not self._one_reply
                return _PENDING
            return None
        self._pending.pop(call_id, None)
        if outputs:
            answer, shown = tool_output(_content(outputs.popleft()), images=self._capabilities.images)
            self._shown += shown
            return answer
        if status == "incomplete" or (status == "in_progress" and kind_of_call(item) is not None):
            return None
        raise InvalidRequest(f"No tool output found for {words_of(item)} {call_id}.", param="input")

    def _late_output(self, item: Item, call_id: str) -> None:
        """Add the output of an `async` call, which has an answer already."""
        self._flush()
        if self._outputs[call_id]:
            self._outputs[call_id].popleft()
        answer, shown = tool_output(_content(item), images=self._capabilities.images)
        text = f"The result of the call {call_id} of {self._pending[call_id]}:"
        content: str | list[ChatContentPart]
        if isinstance(answer, str) and not shown:
            content = f"{text}\n{answer}"
        else:
            answers: list[ChatContentPart] = (
                [{"type": "text", "text": answer}] if isinstance(answer, str) else answer
            )
            content = [{"type": "text", "text": text}, *answers, *shown]
        self._messages.append({"role": "user", "content": content})

    def _hosted_call(self, item_id: str | UnsetType | None, call: ForModel | None) -> None:
        """Add a call of a hosted tool together with its output."""
        if call is not None:
            name = self._renamed.get((call.owner, call.name)) or hosted_name(call.owner, call.name)
            self._add_call(_chat_call(_short_id(str(item_id)), name, call.arguments), call.output)
            # In a context, the next item may be the model's reaction to the output.
            self._answered = not self._one_reply

    def _add_call(self, call: ChatToolCall, answer: str | list[ChatContentPart]) -> None:
        self._open_reply(is_call=True).setdefault("tool_calls", []).append(call)
        self._answers.append({"role": "tool", "tool_call_id": call["id"], "content": answer})

    def _open_reply(self, *, has_text: bool = False, is_call: bool = False) -> ChatMessage:
        """Return the assistant message for the next part of a reply, perhaps a new one."""
        reply = self._assistant
        if reply is not None and (
            self._answered
            or (self._goes_on and not is_call)
            or (has_text and not reply.get("tool_calls") and reply.get("content"))
        ):
            self._flush()
            reply = None
        if reply is None:
            reply = self._assistant = {"role": "assistant", "content": ""}
        return reply

    def _flush(self) -> None:
        reply = self._assistant
        if reply is None:
            return
        key = self._capabilities.reasoning_input
        if key == "reasoning_details" and self._details:
            reply[key] = msgspec.to_builtins(self._details)
        elif self._reasoning and key != "none":
            reply["reasoning" if key == "reasoning_details" else key] = "\n".join(self._reasoning)
        if reply.get("content") or reply.get("tool_calls"):
            self._messages.append(reply)
        self._messages.extend(self._answers)
        if self._shown:
            self._messages.append({"role": "user", "content": self._shown})
        self._assistant = None
        self._answers, self._shown, self._answered, self._goes_on = [], [], False, False
        self._reasoning, self._details = [], []


def _outputs_by_call(items: list[Item]) -> tuple[dict[str, deque[Item]], list[str]]:
    """Return the outputs by call ID, in order; backends reuse IDs in later turns.

    The list has the call IDs of outputs whose `async` calls a compaction has replaced.
    """
    outputs: dict[str, deque[Item]] = defaultdict(deque)
    calls: dict[str, int] = defaultdict(int)
    orphans: list[str] = []
    is_compacted = False
    for item in items:
        if isinstance(item, Message):
            continue  # Most items are messages.
        if isinstance(item, Compaction):
            is_compacted = True
        elif (call_id := called_id(item)) is not None:
            calls[call_id] += 1
        elif (call_id := answered_id(item)) is not None:
            if is_compacted and not calls[call_id] and call_id not in orphans:
                orphans.append(call_id)
                continue
            outputs[call_id].append(item)
            if not calls[call_id]:
                raise InvalidRequest(
                    f"No tool call found for {words_of(item)} output with call_id {call_id}.", param="input"
                )
            if len(outputs[call_id]) > calls[call_id]:
                raise InvalidRequest(
                    f"Duplicate tool output found for {words_of(item)} {call_id}.", param="input"
                )
    return outputs, orphans


def _content(output: Item) -> str | list[ToolOutputPart]:
    if isinstance(output, FunctionCallOutput | CustomToolCallOutput):
        return output.output
    kind = kind_of_output(output)
    assert kind is not None
    return kind.answer(output)


def _tool_call(item: Item, capabilities: Capabilities, renamed: Renamed) -> ChatToolCall:
    if isinstance(item, CustomToolCall):
        of_its_kind = native_call if capabilities.custom_tools else call_as_function
        return of_its_kind(item.call_id, _name(item), item.input)
    if isinstance(item, FunctionCall):
        return _chat_call(item.call_id, _name(item), item.arguments)
    kind = kind_of_call(item)
    assert kind is not None
    name = renamed.get((kind.name, kind.name), kind.name)
    return _chat_call(called_id(item) or _short_id(str(item.id)), name, kind.arguments(item))


def _name(item: FunctionCall | CustomToolCall) -> str:
    """Return a function's name at the backend; a function that was searched for is its own namespace."""
    if not item.namespace or item.namespace == item.name:
        return item.name
    return flat_name(item.namespace, item.name)


def _chat_call(call_id: str, name: str, arguments: str) -> ChatToolCall:
    # Chat templates parse the arguments, so missing ones become an empty object.
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}


def _short_id(item_id: str) -> str:
    """Return a call ID for an item without one; api.openai.com allows 40 characters."""
    return f"call_{item_id.rpartition('_')[2][-24:]}"
