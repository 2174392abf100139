"""What a stored prompt says once its variables have values. Pure.

The order and the words follow llama-stack, so that its recordings fit: the text is a system message before
the instructions; an image or a file stands in the text as `[Image: name]` or `[File: name]`, and comes as a
user message after everything else.
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
    """A reference whose prompt has been found: `text` for the system, `parts` for the user."""

    text: str
    parts: list[InputImage | InputFile]
    names: list[str]
    """The variables that `parts` are the values of, in the same order."""


def variables_in(text: str) -> list[str]:
    """Returns the names of the variables in a prompt's text, each once, in order."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def fill(reference: PromptReference, text: str, variables: Sequence[str], version: int) -> FilledPrompt:
    """Puts the values of `reference` into the text of a prompt that declares `variables`.

    Raises `InvalidRequest` for a variable without a value, and for a value without a variable. Values are
    put in as they are: braces in them mean nothing.
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
            # A copy: what is loaded for the model is no part of the request that is shown.
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
