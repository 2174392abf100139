"""A chat backend that can do everything, except for what its faults take away."""

from tests.support.upstream import (
    Answer,
    Request,
    Upstream,
    chunk,
    completion,
    html,
    models_list,
    reply,
    silence,
    sse,
)

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def _refusal(message: str, status: int = 400) -> Answer:
    return reply({"error": {"message": message}}, status=status)


class Stub(Upstream):
    """The backend; `faults` are the names of what it can't do."""

    def __init__(self) -> None:
        super().__init__(("gpt-mini", "text-embedding-small"))
        self.faults: set[str] = set()

    def _next(self, request: Request) -> Answer:
        faults = self.faults
        if "wrong key" in faults:
            return _refusal("Incorrect API key provided.", 401)
        if "html" in faults:
            return html("<p>It works!</p>")
        if request.path.endswith("/models"):
            if "no list" in faults:
                return _refusal("Not Found", 404)
            return reply(models_list()) if "no models" in faults else self.models_answer
        if request.path.endswith("/embeddings"):
            if "no embeddings" in faults:
                return _refusal("This model does not support embeddings", 501)
            return reply({"object": "list", "data": [{"embedding": [0.1, 0.2]}]})
        if "hang" in faults:
            return silence()
        if "wrong shape" in faults:
            return reply({"choices": [{"message": {"tool_calls": [{}]}}]})
        return self._chat(request)

    def _chat(self, request: Request) -> Answer:
        body, faults = request.json, self.faults
        for name in ("stream_options", "parallel_tool_calls", "response_format", "reasoning_effort", "tools"):
            if name in body and f"refuses {name}" in faults:
                return _refusal(f"Unsupported parameter: {name}")
        choice = body.get("tool_choice")
        if isinstance(choice, dict) and "refuses named choice" in faults:
            return _refusal("tool_choice must be a string")
        if body.get("stream"):
            return self._stream(body)
        if body.get("tools") and "no tools" not in faults:
            if isinstance(choice, dict) and "ignores named choice" in faults:
                return reply(completion("It rains."))
            count = 1 if choice is not None or "one call" in faults else 2
            return reply(completion(None, finish="tool_calls", tool_calls=self._calls(count)))
        if "response_format" in body:
            return reply(completion("It is 5." if "no schema" in faults else '{"sum": 5}'))
        if "cut" in faults:
            return reply(completion("", finish="length"))
        return reply(
            completion("ok", reasoning_content="Easy.") if "reasoning" in faults else completion("ok")
        )

    def _stream(self, body: dict[str, object]) -> Answer:
        chunks = [chunk("1 "), chunk("2 "), chunk("3"), chunk(finish="stop")]
        if "whole stream" in self.faults:
            return reply(completion("1 2 3"))
        if "error in stream" in self.faults:
            return sse({"error": {"message": "overloaded"}})
        if "stream_options" in body and "no usage" not in self.faults:
            chunks.append(chunk(usage=USAGE))
        return sse(*chunks)

    @staticmethod
    def _calls(count: int) -> list[dict[str, object]]:
        function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
        return [{"id": f"call_{n}", "type": "function", "function": function} for n in range(count)]
