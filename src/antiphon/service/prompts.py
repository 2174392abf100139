"""Versioned prompts, and their text with variables filled in."""

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
"""Maximum digits of a version that is looked up; longer ones exceed the database column."""


class Prompts:
    """The use cases of `/v1/prompts`.

    Every method that takes an id raises `PromptNotFound` for a prompt that doesn't exist or belongs to
    another owner.
    """

    def __init__(self, store: Store) -> None:
        self._prompts = store.prompts

    async def create(self, context: RequestContext, request: CreatePrompt) -> Prompt:
        """Store version 1 of a new prompt.

        Raises:
            InvalidRequest: The declared variables are invalid, or the text uses others.
        """
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
        """Return a version of a prompt; None for the default version."""
        return _shown(await self._prompts.get(owner, prompt_id, version))

    async def list(self, owner: str) -> PromptList:
        """Return the default versions of all prompts, newest prompt first."""
        return PromptList(data=[_shown(prompt) for prompt in await self._prompts.defaults(owner)])

    async def versions(self, owner: str, prompt_id: str) -> PromptList:
        """Return all versions of a prompt, oldest first."""
        return PromptList(data=[_shown(prompt) for prompt in await self._prompts.versions(owner, prompt_id)])

    async def update(self, owner: str, prompt_id: str, request: UpdatePrompt) -> Prompt:
        """Store the next version of a prompt.

        Raises:
            InvalidRequest: The declared variables are invalid, or the text uses others.
            NotLatestVersion: The version in the request isn't the latest one.
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
        """Make a version the default one."""
        await self._prompts.set_default(owner, prompt_id, version)
        return await self.get(owner, prompt_id, version)

    async def delete(self, owner: str, prompt_id: str) -> None:
        """Delete a prompt with all its versions."""
        if not await self._prompts.delete(owner, prompt_id):
            raise PromptNotFound(prompt_id)


async def filled_prompt(store: Store, owner: str, reference: PromptReference) -> FilledPrompt:
    """Return the prompt that a request refers to, with its variables filled in.

    Raises:
        PromptNotFound: The owner has no such prompt or version.
        InvalidRequest: The variables of the request don't match those of the prompt.
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
    """Return the declared variables of a prompt; None declares those in its text.

    Raises:
        InvalidRequest: The declaration is incomplete, or contains a repeated or invalid name.
    """
    used = variables_in(text)
    if given is None:
        return used
    undeclared = [name for name in used if name not in given]
    if undeclared:
        raise _wrong(f"the prompt also uses '{', '.join(undeclared)[:200]}'. Declare all its variables")
    if len(set(given)) < len(given):
        raise _wrong("a name occurs twice. Declare each variable once")
    unusable = [name for name in given if variables_in("{{" + name + "}}") != [name]]
    if unusable:
        raise _wrong(f"'{unusable[0][:100]}' isn't a name. Expected letters, digits and underscores")
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
