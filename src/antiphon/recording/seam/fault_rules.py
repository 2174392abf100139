"""Fault rules: their syntax, and the calls that they apply to.

A rule is an action with conditions, such as `cut:3,model=gpt-4o,call=2`; a `;` separates rules.

    cut:N          the connection breaks after N chunks
    stall:N        no chunk follows the N-th; the call times out after `for=SECONDS`
    garble:N       chunk N is cut in half
    unfinished     no chunk has a finish_reason
    delay:SECONDS  the answer starts late
    429:SECONDS    an error status from 400 to 599, with Retry-After in seconds

    model=NAME     calls of this model; `*` matches any characters
    tool=NAME      calls of this tool instead of model calls
    call=N         only the n-th of these calls in a scope
    chance=P       a random part of them; `seed=TEXT` makes it the same part in each run
"""

import random
import re
from dataclasses import dataclass

from antiphon.errors import ConfigError
from antiphon.wire.json import JSONObject

_STALL = 120.0
"""Default seconds until a stalled call times out, as for a backend."""
_MAX_RULES = 20
_ACTIONS = {"cut": 0, "stall": 0, "garble": 1, "unfinished": None, "delay": None}
"""Default values of the actions; statuses are not listed."""
_STREAM_ONLY = ("garble", "unfinished")


@dataclass(frozen=True)
class FaultRule:
    """One fault rule."""

    text: str
    """The rule as it was written."""
    action: str
    value: float | None = None
    """The number after the action: chunks or seconds."""
    model: str = "*"
    tool: str | None = None
    call: int | None = None
    chance: float | None = None
    seed: str = ""
    seconds: float = _STALL
    """Seconds until a stalled call times out."""

    def applies(self, scope: str, number: int) -> bool:
        """Return whether the matching call with this number, from 1, fails."""
        if self.call is not None and number != self.call:
            return False
        if self.chance is None:
            return True
        drawn = random.Random(f"{self.seed}\n{self.text}\n{scope}\n{number}").random()  # noqa: S311
        return drawn < self.chance


def parse_rules(text: str) -> list[FaultRule]:
    """Return the rules of a text.

    Raises:
        ConfigError: A rule is wrong, or there are too many.
    """
    rules = [_parse_rule(rule.strip()) for rule in text.split(";") if rule.strip()]
    if len(rules) > _MAX_RULES:
        raise ConfigError(f"fault: at most {_MAX_RULES} rules, but there are {len(rules)}")
    return rules


def _parse_rule(text: str) -> FaultRule:
    head, *conditions = [part.strip() for part in text.split(",")]
    action, colon, value = head.partition(":")
    fields: JSONObject = {"text": text, "action": action, "value": _action_value(text, action, value, colon)}
    for condition in conditions:
        name, _, given = condition.partition("=")
        fields |= _condition(text, name, given)
    rule = FaultRule(**fields)
    if rule.tool is not None and action in _STREAM_ONLY:
        raise _invalid(text, f"{action} is for model calls only")
    return rule


def _action_value(text: str, action: str, value: str, colon: str) -> float | None:
    if re.fullmatch(r"[45]\d\d", action):
        return _number(text, action, value) if colon else None
    if action not in _ACTIONS:
        known = ", ".join(_ACTIONS)
        raise _invalid(text, f"unknown action {action!r}; there are {known}, and statuses from 400 to 599")
    if action == "delay" and not colon:
        raise _invalid(text, "delay needs seconds, such as delay:2")
    if action == "unfinished" and colon:
        raise _invalid(text, "unfinished takes no value")
    return _number(text, action, value) if colon else _ACTIONS[action]


def _condition(text: str, name: str, given: str) -> JSONObject:
    if name in ("model", "tool", "seed") and given:
        return {name: given}
    if name == "call":
        number = _number(text, name, given)
        if number < 1 or number != int(number):
            raise _invalid(text, "call counts from 1")
        return {"call": int(number)}
    if name == "chance":
        chance = _number(text, name, given)
        if chance > 1:
            raise _invalid(text, "chance is between 0 and 1")
        return {"chance": chance}
    if name == "for":
        return {"seconds": _number(text, name, given)}
    raise _invalid(text, f"unknown condition {name!r}; there are model, tool, call, chance, seed and for")


def _number(text: str, name: str, given: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", given):
        raise _invalid(text, f"{name} needs a number, but got {given!r}")
    return float(given)


def _invalid(text: str, why: str) -> ConfigError:
    return ConfigError(f"fault: {text!r}: {why}")
