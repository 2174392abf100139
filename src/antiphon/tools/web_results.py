"""The results of web searches, whoever recorded them."""

import msgspec

from antiphon.errors import UpstreamBroken, UpstreamError
from antiphon.wire.json import JSON, JSONObject


def results_of(value: JSON) -> list[JSONObject]:
    """Returns the results in what a tool call gave: the entries of `top_k`, or of `results` for a page.

    llama-stack records them as a JSON text in `content`, or an `error_message` (its `ToolInvocationResult`).
    Raises `UpstreamError` for the latter, and for anything else.
    """
    if isinstance(value, dict) and value.get("error_message"):
        raise UpstreamError(str(value["error_message"]))
    if isinstance(value, dict) and isinstance(content := value.get("content"), str):
        try:
            value = msgspec.json.decode(content)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _broken() from error
    if not isinstance(value, dict):
        raise _broken()
    results = value.get("top_k", value.get("results"))
    if not isinstance(results, list) or not all(_is_result(result) for result in results):
        raise _broken()
    return results


def _is_result(result: JSON) -> bool:
    return isinstance(result, dict) and isinstance(result.get("url"), str)


def _broken() -> UpstreamBroken:
    return UpstreamBroken("Web search: its result is not a list of pages")
