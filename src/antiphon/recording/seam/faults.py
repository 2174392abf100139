"""Fault injection: model and tool calls that fail by rule."""

from asyncio import sleep
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from fnmatch import fnmatchcase

import msgspec

from antiphon.engine.ports import ChatModel, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConfigError, InvalidRequest, UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.recording.calls.errors import INJECTED
from antiphon.recording.seam.fault_rules import FaultRule, parse_rules
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject


class Faults:
    """The server's fault rules, with a count of matching calls per rule and scope."""

    def __init__(self, rules: str = "") -> None:
        """Parse the rules.

        Raises:
            ConfigError: A rule is wrong.
        """
        self._rules = parse_rules(rules)
        self._counts: Counter[tuple[str, str]] = Counter()

    def wrap_model(self, model: ResolvedModel, context: RequestContext) -> ResolvedModel:
        """Return a model whose calls fail by rule; without rules, the model itself.

        Raises:
            InvalidRequest: A rule of the request is wrong.
        """
        try:
            faulty = FaultyModel(model.chat_model, self, context, (model.name, model.id))
        except ConfigError as error:
            raise _invalid_header(error) from None
        if not faulty.rules:
            return model
        return ResolvedModel(faulty, model.name, model.id, judge_url=model.judge_url)

    def wrap_tools(self, calls: ToolCalls, context: RequestContext, models: tuple[str, ...]) -> ToolCalls:
        """Return tool calls that fail by rule; without rules, `calls` itself.

        `models` are the names of the model if the calls are requests to an endpoint.

        Raises:
            InvalidRequest: A rule of the request is wrong.
        """
        try:
            faulty = FaultyTools(calls, self, context, models)
        except ConfigError as error:
            raise _invalid_header(error) from None
        return faulty if faulty.rules else calls

    def rules_for(self, context: RequestContext) -> list[FaultRule]:
        """Return the rules of a request: its own, then the server's.

        Raises:
            ConfigError: A rule of the request is wrong.
        """
        return [*parse_rules(context.faults or ""), *self._rules]

    def for_model(self, rules: list[FaultRule], scope: str, names: tuple[str, ...]) -> FaultRule | None:
        """Count a model call, by the model's names, and return the rule that it fails by."""
        matching = [r for r in rules if r.tool is None and any(fnmatchcase(name, r.model) for name in names)]
        return self._count(matching, scope)

    def for_tool(self, rules: list[FaultRule], scope: str, name: str) -> FaultRule | None:
        """Count a tool call and return the rule that it fails by."""
        return self._count([r for r in rules if r.tool is not None and fnmatchcase(name, r.tool)], scope)

    def begin(self, scope: str) -> None:
        """Reset the counts of a scope: its next call is the first."""
        for key in [key for key in self._counts if key[1] == scope]:
            del self._counts[key]

    def _count(self, rules: list[FaultRule], scope: str) -> FaultRule | None:
        """Count a call for each rule, and return the first rule that applies to it."""
        applied = None
        for rule in rules:
            self._counts[rule.text, scope] += 1
            if applied is None and rule.applies(scope, self._counts[rule.text, scope]):
                applied = rule
        return applied


class FaultyModel:
    """A `ChatModel` whose calls fail by rule.

    A call with a fault reaches the inner model only if the fault needs its chunks.
    """

    def __init__(
        self, inner: ChatModel, faults: Faults, context: RequestContext, names: tuple[str, ...]
    ) -> None:
        """Parse the rules of the request.

        Raises:
            ConfigError: A rule of the request is wrong.
        """
        self._inner = inner
        self._faults = faults
        self._context = context
        self._names = names
        self.rules = faults.rules_for(context)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the inner model."""
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the inner model's chunks up to the fault."""
        rule = self._rule_of_call()
        if rule is not None:
            if not request.get("stream"):
                await _apply(rule)
            else:
                await _apply_before(rule)
                if not rule.value:
                    await _apply_after(rule)  # It passes no chunk, so the inner model needn't be called.
        async with aclosing(self._inner.stream(request)) as batches:
            if rule is None or rule.action == "delay":
                async for chunks in batches:
                    yield chunks
                return
            left = int(rule.value or 0)
            async for chunks in batches:
                passed = _passed_chunks(rule, chunks, left)
                left -= len(chunks)
                if passed:
                    yield passed
                if rule.action in ("cut", "stall") and left <= 0:
                    break
        # The connection to the backend is closed here: a stalled call must not keep it open.
        await _apply_after(rule)

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the inner model's reply, unless the fault prevents it."""
        rule = self._rule_of_call()
        if rule is not None:
            await _apply(rule)
        reply = await self._inner.complete(request)
        return _without_finish(reply) if rule is not None and rule.action == "unfinished" else reply

    def _rule_of_call(self) -> FaultRule | None:
        rule = self._faults.for_model(self.rules, self._context.scope, self._names)
        if rule is not None:
            self._context.observer.faulted(rule.text)
        return rule


class FaultyTools:
    """`ToolCalls` that fail by rule.

    If they are requests to an endpoint, `models` are the names of the model, and rules for models apply.
    """

    def __init__(
        self, inner: ToolCalls, faults: Faults, context: RequestContext, models: tuple[str, ...] = ()
    ) -> None:
        """Parse the rules of the request.

        Raises:
            ConfigError: A rule of the request is wrong.
        """
        self._inner = inner
        self._faults = faults
        self._context = context
        self._models = models
        self.rules = faults.rules_for(context)

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Call the tool, unless a fault prevents it."""
        rule = self._rule_of_call(name)
        if rule is not None:
            self._context.observer.faulted(rule.text)
            await _apply(rule)
        return await self._inner.call(provider, name, arguments)

    def _rule_of_call(self, name: str) -> FaultRule | None:
        scope = self._context.scope
        if self._models:
            return self._faults.for_model(self.rules, scope, self._models)
        return self._faults.for_tool(self.rules, scope, name)


async def _apply_before(rule: FaultRule) -> None:
    """Apply what precedes the answer: a delay, or an error status."""
    if rule.action == "delay":
        await sleep(rule.value or 0.0)
    elif rule.action.isdigit():
        headers = {} if rule.value is None else {"retry-after": f"{rule.value:g}"}
        raise UpstreamRefused(
            f"{_prefix(rule)}: refused with status {rule.action}",
            upstream_status=int(rule.action),
            headers=headers,
        )


async def _apply_after(rule: FaultRule) -> None:
    """Apply what replaces the rest of the answer: a timeout, or a broken connection."""
    if rule.action == "stall":
        await sleep(rule.seconds)
        raise UpstreamTimeout(f"{_prefix(rule)}: silent for {rule.seconds:g} s")
    if rule.action == "cut":
        raise UpstreamBroken(f"{_prefix(rule)}: the connection was cut")


async def _apply(rule: FaultRule) -> None:
    """Apply a fault to a non-streaming answer, which passes whole or not at all."""
    await _apply_before(rule)
    await _apply_after(rule)
    if rule.action == "garble":
        raise UpstreamBroken(f"{_prefix(rule)}: the answer isn't valid JSON")


def _passed_chunks(rule: FaultRule, chunks: list[bytes], left: int) -> list[bytes]:
    """Return the chunks of one read after the fault, which is at chunk `left`."""
    if rule.action in ("cut", "stall"):
        return chunks[: max(left, 0)]
    if rule.action == "unfinished":
        return [_without_finish(chunk) for chunk in chunks]
    return [c[: len(c) // 2] if number == left else c for number, c in enumerate(chunks, 1)]


def _without_finish(text: bytes) -> bytes:
    if b'"finish_reason"' not in text:
        return text
    reply = msgspec.json.decode(text)
    for choice in reply.get("choices") or ():
        choice["finish_reason"] = None
    return msgspec.json.encode(reply)


def _prefix(rule: FaultRule) -> str:
    return f"{INJECTED}{rule.text!r}"


def _invalid_header(error: ConfigError) -> InvalidRequest:
    return InvalidRequest(str(error), code="invalid_value", param="x-antiphon-fault")
