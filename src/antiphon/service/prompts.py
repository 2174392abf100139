"""Prompts: made, changed version by version, and filled in for a response."""

from antiphon.engine.request.prompts import FilledPrompt, fill, variables_in
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.ids import SHORT
from antiphon.store import Store
from antiphon.store.errors import PromptNotFound
from antiphon.store.prompts import StoredPrompt
from antiphon.wire.prompts import CreatePrompt, Prompt, PromptList, UpdatePrompt
from antiphon.wire.responses import PromptReference

_MAX_DIGITS = 9
"""Versions of more digits are not looked for: no database column holds them."""


class Prompts:
    """The use cases of `/v1/prompts`. `owner` is whose prompts they are; others do not exist for it."""

    def __init__(self, store: Store) -> None:
        self._prompts = store.prompts

    async def create(self, context: RequestContext, request: CreatePrompt) -> Prompt:
        """Stores version 1 of a new prompt. Raises `InvalidRequest` if its variables are not declared."""
        new = StoredPrompt(
            id=context.ids("pmpt", SHORT),
            version=1,
            text=request.prompt,
            variables=_declared(request.prompt, request.variables),
            is_default=True,
        )
        await self._prompts.create(context.owner, new, context.clock())
        return _shown(new)

    async def get(self, owner: str, prompt_id: str, version: int | None = None) -> Prompt:
        """Returns a version, the default one if none is named. Raises `PromptNotFound`."""
        return _shown(await self._prompts.get(owner, prompt_id, version))

    async def list(self, owner: str) -> PromptList:
        """Returns the default versions of all prompts, newest prompt first."""
        return PromptList(data=[_shown(prompt) for prompt in await self._prompts.defaults(owner)])

    async def versions(self, owner: str, prompt_id: str) -> PromptList:
        """Returns all versions of a prompt, oldest first. Raises `PromptNotFound`."""
        return PromptList(data=[_shown(prompt) for prompt in await self._prompts.versions(owner, prompt_id)])

    async def update(self, owner: str, prompt_id: str, request: UpdatePrompt) -> Prompt:
        """Stores the next version. Raises `PromptNotFound`, and `InvalidRequest` as `create` does.

        Also refuses a change that is based on a version which is not the latest (`NotLatestVersion`).
        """
        new = StoredPrompt(
            id=prompt_id,
            version=request.version + 1,
            text=request.prompt,
            variables=_declared(request.prompt, request.variables),
            is_default=request.set_as_default,
        )
        await self._prompts.add_version(owner, new)
        return _shown(new)

    async def set_default(self, owner: str, prompt_id: str, version: int) -> Prompt:
        """Makes a version the default one. Raises `PromptNotFound`."""
        await self._prompts.set_default(owner, prompt_id, version)
        return await self.get(owner, prompt_id, version)

    async def delete(self, owner: str, prompt_id: str) -> None:
        """Deletes a prompt with all its versions. Raises `PromptNotFound`."""
        if not await self._prompts.delete(owner, prompt_id):
            raise PromptNotFound(prompt_id)


async def filled_prompt(store: Store, owner: str, reference: PromptReference) -> FilledPrompt:
    """Finds the prompt that a request for a response names, and fills it in.

    Raises `PromptNotFound`, and `InvalidRequest` for variables that do not fit.
    """
    try:
        found = await store.prompts.get(owner, reference.id, _version(reference))
    except PromptNotFound as error:
        error.param = "prompt"
        raise
    return fill(reference, found.text, found.variables, found.version)


def _version(reference: PromptReference) -> int | None:
    text = reference.version
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise PromptNotFound(reference.id, text[:_MAX_DIGITS])
    return int(text)


def _declared(text: str, given: list[str] | None) -> list[str]:
    """Returns the variables of a prompt; without a declaration they are those in its text."""
    used = variables_in(text)
    if given is None:
        return used
    undeclared = [name for name in used if name not in given]
    if undeclared:
        raise _wrong(f"the prompt also has {', '.join(undeclared)[:200]}")
    if len(set(given)) < len(given):
        raise _wrong("a name stands there twice")
    unusable = [name for name in given if variables_in("{{" + name + "}}") != [name]]
    if unusable:
        raise _wrong(f"'{unusable[0][:100]}' is no name, which is letters, digits and underscores")
    return given


def _wrong(reason: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid 'variables': {reason}.", code="invalid_value", param="variables")


def _shown(stored: StoredPrompt) -> Prompt:
    return Prompt(
        prompt_id=stored.id,
        prompt=stored.text,
        version=stored.version,
        variables=stored.variables,
        is_default=stored.is_default,
    )
