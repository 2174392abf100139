"""Prompts for compaction, and the messages that it keeps.

The prompts are those of llama-stack (OGX), so that its recordings match here too.
"""

import msgspec
from msgspec import UNSET

from antiphon.wire.chat import ChatMessage
from antiphon.wire.content import ContentPart, InputFile, InputImage
from antiphon.wire.items import Item, Message

PROMPT = (
    "You are performing a CONTEXT CHECKPOINT COMPACTION. Create a handoff summary for another LLM that will "
    "resume the task.\n\n"
    "Include:\n"
    "- Current progress and key decisions made\n"
    "- Important context, constraints, or user preferences\n"
    "- What remains to be done (clear next steps)\n"
    "- Any critical data, examples, or references needed to continue\n\n"
    "Be concise, structured, and focused on helping the next LLM seamlessly continue the work."
)
_PREFIX = (
    "Another language model started to solve this problem and produced a summary of its thinking process. "
    "You also have access to the state of the tools that were used by that language model. Use this to build "
    "on the work that has already been done and avoid duplicating work. Here is the summary produced by the "
    "other language model, use the information in this summary to assist with your own analysis:"
)


def request_of_summary(instructions: str | None) -> ChatMessage:
    """Return the message that requests a summary of the context before it."""
    return {"role": "user", "content": f"{instructions}\n\n{PROMPT}" if instructions else PROMPT}


def as_told(summary: str) -> ChatMessage:
    """Return the message that passes a summary to a model."""
    return {"role": "assistant", "content": f"{_PREFIX}\n{summary}"}


def kept_messages(items: list[Item]) -> list[Message]:
    """Return the messages that compaction keeps unchanged: all but the model's.

    At api.openai.com these are the user's messages (recorded). `system` and `developer` messages are kept
    too, because a summary of instructions doesn't bind a model like the instructions do.
    """
    return [item for item in items if isinstance(item, Message) and item.role != "assistant"]


def without_loaded_files(message: Message) -> Message:
    """Return the message with uploaded files as IDs only, as its sender wrote it.

    The files are loaded for the model call, and again whenever a request continues from the message.
    """
    if isinstance(message.content, str):
        return message
    return msgspec.structs.replace(message, content=[_named(part) for part in message.content])


def _named(part: ContentPart) -> ContentPart:
    if isinstance(part, InputFile) and part.file_id:
        return msgspec.structs.replace(part, file_data=UNSET)
    if isinstance(part, InputImage) and part.file_id:
        return msgspec.structs.replace(part, image_url=UNSET)
    return part
