"""openai-agents: two streamed runs in a session that the server keeps as a conversation."""

import asyncio
import json
import sys

from agents import Agent, OpenAIConversationsSession, Runner, function_tool, set_tracing_disabled

called: list[str] = []
set_tracing_disabled(True)  # Traces would go to api.openai.com.


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    called.append(city)
    return f"It is cold in {city}."


async def main(questions: list[str]) -> None:
    agent = Agent(name="Helper", model="openai/up/m", tools=[get_weather])
    session = OpenAIConversationsSession()
    deltas: list[list[str]] = []
    texts: list[str] = []
    for question in questions:
        run = Runner.run_streamed(agent, question, session=session)
        pieces: list[str] = []
        async for event in run.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                pieces.append(event.data.delta)
        deltas.append(pieces)
        texts.append(run.final_output_as(str))
    sys.stdout.write(json.dumps({"called": called, "deltas": deltas, "texts": texts}))


asyncio.run(main(sys.argv[1:]))
