"""Log probabilities of output tokens, made fit to be shown. Pure."""

from antiphon.wire.content import Logprob, TopLogprob
from antiphon.wire.events import NO_LOGPROBS


def complete(logprobs: list[Logprob]) -> list[Logprob]:
    """Fills in, in place, what chat backends may leave out and the Responses API always has.

    `bytes` is then the token's UTF-8 form, and `top_logprobs` empty.
    """
    for logprob in logprobs:
        if logprob.top_logprobs is None:
            logprob.top_logprobs = []
        entries: list[Logprob | TopLogprob] = [logprob, *logprob.top_logprobs]
        for entry in entries:
            if entry.bytes is None:
                entry.bytes = list(entry.token.encode())
    return logprobs


def last_tokens(logprobs: list[Logprob], text: str) -> list[Logprob]:
    """Returns those of the tokens that end with `text`; those of a tag before it are not shown."""
    if not logprobs:
        return NO_LOGPROBS
    start, missing = len(logprobs), len(text)
    while start > 0 and missing > 0:
        start -= 1
        missing -= len(logprobs[start].token)
    return logprobs[start:]
