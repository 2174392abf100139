"""langchain-openai and LangGraph: a graph of a model and its tools, which keeps the history itself."""

import json
import sys

from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

called: list[str] = []


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    called.append(city)
    return f"It is cold in {city}."


model = ChatOpenAI(model="up/m", use_responses_api=True, max_retries=0).bind_tools([get_weather])


def call_model(state: MessagesState) -> MessagesState:
    return {"messages": [model.invoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("model", call_model)
builder.add_node("tools", ToolNode([get_weather]))
builder.add_edge(START, "model")
builder.add_conditional_edges("model", tools_condition)
builder.add_edge("tools", "model")
graph = builder.compile(checkpointer=InMemorySaver())

thread = {"configurable": {"thread_id": "1"}}
deltas: list[list[str]] = []
texts: list[str] = []
for question in sys.argv[1:]:
    asked = {"messages": [("user", question)]}
    pieces = [
        message.text
        for message, _ in graph.stream(asked, thread, stream_mode="messages")
        if isinstance(message, AIMessageChunk)
    ]
    deltas.append([piece for piece in pieces if piece])
    texts.append(graph.get_state(thread).values["messages"][-1].text)

sys.stdout.write(json.dumps({"called": called, "deltas": deltas, "texts": texts}))
