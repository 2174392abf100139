"""Grammars of custom tools, enforced for backends that don't enforce them.

llguidance parses the same dialects as api.openai.com: Rust's regular expressions and its own version of Lark.
It neither backtracks nor reads files.
"""

import time
from functools import cache
from typing import TYPE_CHECKING

from antiphon.errors import InvalidRequest
from antiphon.wire.tools import CustomGrammarFormat

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer

BUDGET = 2.0
"""Time limit in seconds for checking an input; ambiguous grammars take cubic time."""
_BYTES_AT_ONCE = 8
_MAX_DEFINITION = 200_000
_EXCERPT = 40


class Grammar:
    """A grammar for the complete input of a custom tool."""

    def __init__(self, text_format: CustomGrammarFormat, param: str) -> None:
        """Compile a grammar.

        Raises:
            InvalidRequest: The definition is invalid or too large.
        """
        from llguidance import LLMatcher  # Imported late: it takes 80 ms, and few requests need it.

        place = f"{param}.definition"
        if len(text_format.definition) > _MAX_DEFINITION:
            raise InvalidRequest(
                f"Invalid '{place}': string too long. Expected a string with maximum length "
                f"{_MAX_DEFINITION}, but got a string with length {len(text_format.definition)} instead.",
                code="string_above_max_length",
                param=place,
            )
        if text_format.syntax == "regex":
            source = LLMatcher.grammar_from_regex(text_format.definition)
        else:
            source = LLMatcher.grammar_from_lark(text_format.definition)
        self._matcher = LLMatcher(_bytes(), source, log_level=0, limits=_limits())
        if self._matcher.is_error():
            raise InvalidRequest(
                f"Invalid '{place}': {self._matcher.get_error()[:500].strip()}",
                code="invalid_value",
                param=place,
            )

    def check(self) -> "InputCheck":
        """Return a new check for one input."""
        return InputCheck(self._matcher.deep_copy())


class InputCheck:
    """An incremental check of one input."""

    def __init__(self, matcher: "LLMatcher") -> None:
        self._matcher = matcher
        self._length = 0
        self._spent = 0.0

    def feed(self, text: str) -> str | None:
        """Check the next part; return the error or None. Stop calling this after an error."""
        begin = time.perf_counter()
        data = text.encode()
        for place in range(0, len(data), _BYTES_AT_ONCE):
            piece = data[place : place + _BYTES_AT_ONCE]
            taken = self._matcher.try_consume_tokens(list(piece))
            if self._matcher.is_error() or self._spent + time.perf_counter() - begin > BUDGET:
                return "cannot be checked against its grammar, which is too complex"
            if taken < len(piece):
                good = len(data[: place + taken].decode(errors="ignore"))
                rest = text[good : good + _EXCERPT]
                return f"does not match its grammar from character {self._length + good} on: {rest!r}"
        self._length += len(text)
        self._spent += time.perf_counter() - begin
        return None

    def end(self) -> str | None:
        """Return the error if the input must not end here, else None."""
        if self._matcher.is_accepting():
            return None
        return f"ends after {self._length} characters, where its grammar requires more"


@cache
def _bytes() -> "LLTokenizer":
    """Return a tokenizer with a token for each byte."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")


@cache
def _limits() -> "LLParserLimits":
    """Return the limits: half the default work per step, and more rules.

    A grammar for a programming language has many rules.
    """
    from llguidance import LLParserLimits

    return LLParserLimits(max_items_in_row=1000, max_grammar_size=20_000)
