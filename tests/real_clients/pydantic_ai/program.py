"""pydantic-ai: two streamed runs of an agent that sends the history again."""

import asyncio
import json
import sys

from pydantic_ai import Agent, ModelMessage
from pydantic_ai.models.openai import OpenAIResponsesModel

called: list[str] = []
agent = Agent(OpenAIResponsesModel("up/m"))


@agent.tool_plain
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    called.append(city)
    return f"It is cold in {city}."


async def main(questions: list[str]) -> None:
    deltas: list[list[str]] = []
    texts: list[str] = []
    history: list[ModelMessage] = []
    for question in questions:
        async with agent.run_stream(question, message_history=history) as run:
            deltas.append([delta async for delta in run.stream_text(delta=True, debounce_by=None)])
            texts.append(await run.get_output())
            history = run.all_messages()
    sys.stdout.write(json.dumps({"called": called, "deltas": deltas, "texts": texts}))


asyncio.run(main(sys.argv[1:]))
