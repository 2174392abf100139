"""From items to chat messages. Pure."""

from collections import defaultdict, deque

from antiphon.config import Capabilities
from antiphon.engine.functions import flat_name
from antiphon.engine.parts import plain_text, tool_output, user_content
from antiphon.errors import InvalidRequest
from antiphon.wire.chat import ChatMessage, ChatToolCall
from antiphon.wire.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
    Reasoning,
    WebSearchCall,
)

_SILENT = (WebSearchCall, FileSearchCall, McpListTools, McpApprovalRequest, McpApprovalResponse)
"""Items that a chat backend need not be told: what they brought is in the answer that follows them."""

Call = FunctionCall | CustomToolCall | McpCall
Output = FunctionCallOutput | CustomToolCallOutput


def translate_items(items: list[Item], capabilities: Capabilities) -> list[ChatMessage]:
    """Translates the whole context, oldest item first.

    An assistant message, the tool calls after it and the reasoning before it become one message; each tool
    output follows directly on that message, in the order of the calls. Raises `InvalidRequest` where calls
    and outputs do not fit together (texts as on api.openai.com) or an item cannot be told to a chat model.
    """
    return _Translation(items, capabilities).messages


class _Translation:
    def __init__(self, items: list[Item], capabilities: Capabilities) -> None:
        self.messages: list[ChatMessage] = []
        self._capabilities = capabilities
        self._outputs = _outputs_by_call(items)
        self._assistant: ChatMessage | None = None
        self._answers: list[ChatMessage] = []
        self._answered = False
        self._reasoning: list[str] = []
        for item in items:
            self._item(item)
        self._flush()

    def _item(self, item: Item) -> None:
        if isinstance(item, Message):
            if item.role == "assistant":
                self._assistant_text(item)
            else:
                self._flush()
                self.messages.append(self._message(item))
        elif isinstance(item, FunctionCall | CustomToolCall | McpCall):
            self._call(item)
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            # Its message stands already behind the call; what comes next belongs to a new reply.
            self._answered = self._assistant is not None
        elif isinstance(item, Reasoning):
            self._open_reply(has_text=False)
            self._reasoning.extend(part.text for part in item.content or item.summary)
        elif not isinstance(item, _SILENT):
            raise InvalidRequest(
                f"Items of type '{item.__struct_config__.tag}' cannot be given to a chat model.",
                code="unsupported_item",
                param="input",
            )

    def _message(self, item: Message) -> ChatMessage:
        role = item.role
        if role == "developer" and not self._capabilities.developer_role:
            role = "system"
        return {"role": role, "content": user_content(item.content)}

    def _assistant_text(self, item: Message) -> None:
        text = plain_text(item.content)
        reply = self._open_reply(has_text=True)
        before = reply.get("content")
        reply["content"] = f"{before}\n{text}" if before and isinstance(before, str) else text

    def _call(self, item: Call) -> None:
        answer = self._answer(item)
        if answer is None:
            return
        reply = self._open_reply(has_text=False)
        reply.setdefault("tool_calls", []).append(_tool_call(item))
        if isinstance(item, McpCall):
            self._answered = True
        self._answers.append(answer)

    def _answer(self, item: Call) -> ChatMessage | None:
        """The tool message that answers a call; None if the call was cut off and never answered."""
        if isinstance(item, McpCall):
            text = item.output if isinstance(item.output, str) else f"Error: {item.error or 'no output'}"
            return {"role": "tool", "tool_call_id": str(item.id), "content": text}
        outputs = self._outputs.get(item.call_id)
        if outputs:
            return {
                "role": "tool",
                "tool_call_id": item.call_id,
                "content": tool_output(outputs.popleft().output),
            }
        if item.status == "incomplete":
            return None
        raise InvalidRequest(f"No tool output found for function call {item.call_id}.", param="input")

    def _open_reply(self, has_text: bool) -> ChatMessage:
        """The assistant message that the next piece of a reply joins, a new one if need be."""
        reply = self._assistant
        if reply is not None and (
            self._answered or (has_text and not reply.get("tool_calls") and reply.get("content"))
        ):
            self._flush()
            reply = None
        if reply is None:
            reply = self._assistant = {"role": "assistant", "content": ""}
        return reply

    def _flush(self) -> None:
        reply = self._assistant
        if reply is not None:
            key = self._capabilities.reasoning_input
            if self._reasoning and key != "none":
                reply[key] = "\n".join(self._reasoning)
            if reply.get("content") or reply.get("tool_calls"):
                self.messages.append(reply)
            self.messages.extend(self._answers)
        self._assistant = None
        self._answers, self._answered, self._reasoning = [], False, []


def _outputs_by_call(items: list[Item]) -> dict[str, deque[Output]]:
    """Outputs by call id, in order; backends use the same id in several turns."""
    outputs: dict[str, deque[Output]] = defaultdict(deque)
    calls: dict[str, int] = defaultdict(int)
    for item in items:
        if isinstance(item, FunctionCall | CustomToolCall):
            calls[item.call_id] += 1
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            call_id = item.call_id
            outputs[call_id].append(item)
            if not calls[call_id]:
                raise InvalidRequest(
                    f"No tool call found for function call output with call_id {call_id}.", param="input"
                )
            if len(outputs[call_id]) > calls[call_id]:
                raise InvalidRequest(
                    f"Duplicate tool output found for function call {call_id}.", param="input"
                )
    return outputs


def _tool_call(item: Call) -> ChatToolCall:
    if isinstance(item, CustomToolCall):
        call_id, name, arguments = item.call_id, item.name, item.input
    elif isinstance(item, FunctionCall):
        name = flat_name(item.namespace, item.name) if item.namespace else item.name
        call_id, arguments = item.call_id, item.arguments
    else:
        call_id, name, arguments = str(item.id), item.name, item.arguments
    # Chat templates parse the arguments: a call without any is an empty object.
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}
