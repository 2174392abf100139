"""ogx-client: two turns of its agent, in a session that is a conversation of the server."""

import json
import os
import sys

from ogx_client import OgxClient
from ogx_client.lib.agents.agent import Agent
from ogx_client.lib.agents.client_tool import client_tool
from ogx_client.lib.agents.turn_events import StepProgress, TextDelta, TurnCompleted

called: list[str] = []


@client_tool
def get_weather(city: str) -> str:
    """Tell the weather in a city.

    :param city: the city
    """
    called.append(city)
    return f"It is cold in {city}."


client = OgxClient(base_url=os.environ["OPENAI_BASE_URL"].removesuffix("/v1"), max_retries=0)
agent = Agent(client, model="up/m", instructions="Be brief.", tools=[get_weather])
session = agent.create_session("weather")
deltas: list[list[str]] = []
texts: list[str] = []
for question in sys.argv[1:]:
    pieces: list[str] = []
    for chunk in agent.create_turn([{"role": "user", "content": question}], session):
        if isinstance(chunk.event, StepProgress) and isinstance(chunk.event.delta, TextDelta):
            pieces.append(chunk.event.delta.text)
        elif isinstance(chunk.event, TurnCompleted):
            texts.append(chunk.event.final_text)
    deltas.append(pieces)

sys.stdout.write(json.dumps({"called": called, "deltas": deltas, "texts": texts}))
