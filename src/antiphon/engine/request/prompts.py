"""Stored prompts with the values of their variables.

Order and texts follow llama-stack, so that its recordings match. The prompt's text is a system message before
the instructions. An image or file appears in the text as `[Image: name]` or `[File: name]`, and is in a user
message after everything else.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from antiphon.errors import InvalidRequest
from antiphon.wire.content import InputFile, InputImage, InputText
from antiphon.wire.responses import PromptReference

_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class FilledPrompt(PromptReference, kw_only=True):
    """A reference to a prompt, with the prompt's content."""

    text: str
    """The text of the system message."""
    parts: list[InputImage | InputFile]
    """The parts of the user message."""
    names: list[str]
    """The variables with the values in `parts`, in the same order."""


def variables_in(text: str) -> list[str]:
    """Return the unique names of the variables in a prompt's text, in order."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def fill(reference: PromptReference, text: str, variables: Sequence[str], version: int) -> FilledPrompt:
    """Insert the values of `reference` into a prompt's text.

    Values are inserted as they are: braces in them have no meaning.

    Args:
        reference: The reference in the request.
        text: The text of the prompt.
        variables: The variables that the prompt declares.
        version: The version of the prompt.

    Raises:
        InvalidRequest: A variable has no value, or a value has no variable.
    """
    values = reference.variables or {}
    for name in values:
        if name not in variables:
            raise _wrong(name, f"the prompt '{reference.id}' has no such variable", "unknown_variable")
    for name in variables:
        if name not in values:
            raise _wrong(name, f"the prompt '{reference.id}' needs a value for it", "missing_variable")
    texts: dict[str, str] = {}
    parts: list[InputImage | InputFile] = []
    names: list[str] = []
    for name, value in values.items():
        if isinstance(value, InputImage | InputFile):
            texts[name] = f"[{'Image' if isinstance(value, InputImage) else 'File'}: {name}]"
            # A copy, because a file loaded for the model must not appear in the client's request.
            parts.append(msgspec.structs.replace(value))
            names.append(name)
        else:
            texts[name] = value.text if isinstance(value, InputText) else value
    return FilledPrompt(
        id=reference.id,
        version=str(version),
        variables=None if reference.variables is UNSET else reference.variables,
        text=_VARIABLE.sub(lambda match: texts.get(match[1], match[0]), text),
        parts=parts,
        names=names,
    )


def _wrong(name: str, reason: str, code: str) -> InvalidRequest:
    shown = name[:100]
    return InvalidRequest(
        f"Invalid 'prompt.variables.{shown}': {reason}.", code=code, param=f"prompt.variables.{shown}"
    )
