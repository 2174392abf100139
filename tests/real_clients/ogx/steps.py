"""Events of ogx-client's agent: without tools, about a file, and with a custom tool.

The first argument names the agent's client, ogx-client's or OpenAI's.
"""

import json
import os
import sys
from dataclasses import asdict

from ogx_client import OgxClient
from ogx_client.lib.agents.agent import Agent
from ogx_client.lib.agents.client_tool import client_tool
from openai import OpenAI


@client_tool
def get_weather(city: str) -> str:
    """Tell the weather in a city.

    :param city: the city
    """
    return f"It is cold in {city}."


url = os.environ["OPENAI_BASE_URL"]
theirs = OgxClient(base_url=url.removesuffix("/v1"), max_retries=0)
client = OpenAI(base_url=url, max_retries=0) if sys.argv[1] == "openai" else theirs
# Parameters that llama-stack's own programs send beside the name.
extra = {"provider_id": "faiss", "embedding_model": "nomic-ai/nomic-embed-text-v1.5"}
store = client.vector_stores.create(name="notes", extra_body=extra)
file = client.files.create(file=("notes.txt", b"The code name is BLUE_FALCON."), purpose="assistants")
attached = client.vector_stores.files.create(store.id, file_id=file.id)
while attached.status == "in_progress":
    attached = client.vector_stores.files.retrieve(file.id, vector_store_id=store.id)
assert attached.status == "completed", attached

search = {"type": "file_search", "vector_store_ids": [store.id]}
events: list[list[dict[str, object]]] = []
for question, tools in zip(sys.argv[2:], ([], [search], [get_weather]), strict=True):
    agent = Agent(client, model="up/m", instructions="Be brief.", tools=tools)
    asked = [{"role": "user", "content": question}]
    turn = agent.create_turn(asked, agent.create_session("steps"))
    events.append([asdict(chunk.event) for chunk in turn])

sys.stdout.write(json.dumps(events))
