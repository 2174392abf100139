"""Bad days on demand: model and tool calls that fail by rule (`fault_rules.py`), the same way every time."""

from asyncio import sleep
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from fnmatch import fnmatchcase

import msgspec

from antiphon.engine.ports import ChatModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.recording.seam.fault_rules import FaultRule, parse_rules
from antiphon.settings.schema import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject


class Faults:
    """The server's rules, and how often each rule has been about a call, in each scope."""

    def __init__(self, rules: str = "") -> None:
        """Raises `ConfigError` for a rule that is wrong."""
        self._rules = parse_rules(rules)
        self._counts: Counter[tuple[str, str]] = Counter()

    def rules_for(self, context: RequestContext) -> list[FaultRule]:
        """Returns the rules of a request, its own first; raises `ConfigError` for one that is wrong."""
        return [*parse_rules(context.faults or ""), *self._rules]

    def for_model(self, rules: list[FaultRule], scope: str, names: tuple[str, ...]) -> FaultRule | None:
        """Returns the fault that a model call is to have; `names` are those that the model goes by."""
        about = [r for r in rules if r.tool is None and any(fnmatchcase(name, r.model) for name in names)]
        return self._due(about, scope)

    def for_tool(self, rules: list[FaultRule], scope: str, name: str) -> FaultRule | None:
        """Returns the fault that a tool call is to have."""
        return self._due([r for r in rules if r.tool is not None and fnmatchcase(name, r.tool)], scope)

    def begin(self, scope: str) -> None:
        """Begins a scope anew: its next call is the first."""
        for place in [place for place in self._counts if place[1] == scope]:
            del self._counts[place]

    def _due(self, rules: list[FaultRule], scope: str) -> FaultRule | None:
        """Every rule counts every call that it is about, whichever of them is due."""
        due = None
        for rule in rules:
            self._counts[rule.text, scope] += 1
            if due is None and rule.chooses(scope, self._counts[rule.text, scope]):
                due = rule
        return due


class FaultyModel:
    """A `ChatModel` over another one, whose calls fail by rule; real calls are made as far as needed."""

    def __init__(
        self, inner: ChatModel, faults: Faults, context: RequestContext, names: tuple[str, ...]
    ) -> None:
        """Raises `ConfigError` for a rule of the request that is wrong."""
        self._inner = inner
        self._faults = faults
        self._context = context
        self._names = names
        self.rules = faults.rules_for(context)

    @property
    def capabilities(self) -> Capabilities:
        """Those of the inner model."""
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields the inner model's chunks, as far as the fault lets them through."""
        rule = self._due()
        if rule is not None:
            if not request.get("stream"):
                await _happen(rule)
            else:
                await _begin(rule)
                if not rule.value:
                    await _end(rule)  # It lets nothing through, so nothing needs to be called.
        async with aclosing(self._inner.stream(request)) as batches:
            if rule is None or rule.action == "delay":
                async for chunks in batches:
                    yield chunks
                return
            left = int(rule.value or 0)
            async for chunks in batches:
                passed = _passed(rule, chunks, left)
                left -= len(chunks)
                if passed:
                    yield passed
                if rule.action in ("cut", "stall") and left <= 0:
                    break
        # The connection to the backend is closed by now: it has nothing to do with the silence.
        await _end(rule)

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the inner model's reply, unless the fault prevents it."""
        rule = self._due()
        if rule is not None:
            await _happen(rule)
        reply = await self._inner.complete(request)
        return _unfinished(reply) if rule is not None and rule.action == "unfinished" else reply

    def _due(self) -> FaultRule | None:
        rule = self._faults.for_model(self.rules, self._context.scope, self._names)
        if rule is not None:
            self._context.observer.faulted(rule.text)
        return rule


class FaultyTools:
    """`ToolCalls` over others, which fail by rule.

    Where they are those of an endpoint, `models` are the names of the model, and the rules for models count.
    """

    def __init__(
        self, inner: ToolCalls, faults: Faults, context: RequestContext, models: tuple[str, ...] = ()
    ) -> None:
        """Raises `ConfigError` for a rule of the request that is wrong."""
        self._inner = inner
        self._faults = faults
        self._context = context
        self._models = models
        self.rules = faults.rules_for(context)

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Calls the tool, unless a fault prevents it."""
        rule = self._due(name)
        if rule is not None:
            self._context.observer.faulted(rule.text)
            await _happen(rule)
        return await self._inner.call(provider, name, arguments)

    def _due(self, name: str) -> FaultRule | None:
        scope = self._context.scope
        if self._models:
            return self._faults.for_model(self.rules, scope, self._models)
        return self._faults.for_tool(self.rules, scope, name)


async def _begin(rule: FaultRule) -> None:
    """What happens before the answer: a wait, or a refusal."""
    if rule.action == "delay":
        await sleep(rule.value or 0.0)
    elif rule.action.isdigit():
        headers = {} if rule.value is None else {"retry-after": f"{rule.value:g}"}
        raise UpstreamRefused(
            f"{_blame(rule)}: refused with status {rule.action}",
            upstream_status=int(rule.action),
            headers=headers,
        )


async def _end(rule: FaultRule) -> None:
    """What happens instead of the rest of the answer."""
    if rule.action == "stall":
        await sleep(rule.seconds)
        raise UpstreamTimeout(f"{_blame(rule)}: silent for {rule.seconds:g} s")
    if rule.action == "cut":
        raise UpstreamBroken(f"{_blame(rule)}: the connection was cut")


async def _happen(rule: FaultRule) -> None:
    """What happens to an answer in one piece, of which no part is let through."""
    await _begin(rule)
    await _end(rule)
    if rule.action == "garble":
        raise UpstreamBroken(f"{_blame(rule)}: the answer is not JSON")


def _passed(rule: FaultRule, chunks: list[bytes], left: int) -> list[bytes]:
    """The chunks of one read that get through; `left` counts down to the chunk that the rule is about."""
    if rule.action in ("cut", "stall"):
        return chunks[: max(left, 0)]
    if rule.action == "unfinished":
        return [_unfinished(chunk) for chunk in chunks]
    return [c[: len(c) // 2] if number == left else c for number, c in enumerate(chunks, 1)]


def _unfinished(text: bytes) -> bytes:
    if b'"finish_reason"' not in text:
        return text
    reply = msgspec.json.decode(text)
    for choice in reply.get("choices") or ():
        choice["finish_reason"] = None
    return msgspec.json.encode(reply)


def _blame(rule: FaultRule) -> str:
    return f"fault {rule.text!r}"
