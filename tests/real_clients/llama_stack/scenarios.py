"""llama-stack-client, in any of its versions: one function per scenario of llama-stack's tests.

The first argument names the function, the second is JSON with its arguments.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from llama_stack_client import APIStatusError, LlamaStackClient

BASE_URL = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
QUESTION = "How many experts does the Llama 4 Maverick model have?"
LOW = {"type": "web_search", "search_context_size": "low"}


def client_of(scope: str) -> LlamaStackClient:
    """Return the client of a test."""
    return LlamaStackClient(base_url=BASE_URL, provider_data={"__test_id": scope}, max_retries=0)


def plain(value: object) -> object:
    """Return a response or an event as JSON."""
    return value.to_dict() if hasattr(value, "to_dict") else value


def setup(embedding_model: str) -> dict[str, object]:
    """Send the requests before the first test: providers, models, and missing ones."""
    client = client_of("setup")
    providers = [provider for provider in client.providers.list() if provider.api == "inference"]
    listed = list(client.models.list())
    names = [model.identifier if hasattr(model, "identifier") else model.id for model in listed]
    registered = None
    if embedding_model not in names and hasattr(client.models, "register"):
        made = client.models.register(
            model_id=embedding_model,
            provider_id=providers[0].provider_id,
            model_type="embedding",
            metadata={"embedding_dimension": 768},
        )
        registered = [made.identifier, made.provider_id, made.api_model_type, made.metadata]
        names += [made.identifier]
    one = client.models.retrieve(names[0])
    # Version 0.7 has neither tools nor tool groups.
    kinds = ("shields", "scoring_functions", "tools", "toolgroups")
    return {
        "lists": {name: getattr(client, name).list() for name in kinds if hasattr(client, name)},
        "providers": [provider.provider_id for provider in providers],
        "models": [plain(model) for model in listed],
        "registered": registered,
        "names": names,
        "retrieved": [one.identifier, one.provider_id, one.provider_resource_id, one.api_model_type],
    }


def search(scope: str, stream: bool) -> dict[str, object]:
    """Run the web search of the first seed."""
    client = client_of(scope)
    asked = {"model": "openai/gpt-4o", "input": QUESTION, "tools": [LOW]}
    if not stream:
        response = client.responses.create(**asked, stream=False)
        return {"types": [], "response": plain(response), "text": response.output_text}
    chunks = list(client.responses.create(**asked, stream=True))
    last = chunks[-1].response
    return {"types": [chunk.type for chunk in chunks], "response": plain(last), "text": last.output_text}


def permissions(scope: str, question: str, server_url: str) -> dict[str, object]:
    """Run the permission check of the second seed; return the classes and the contents of all events."""
    tool = {"type": "mcp", "server_label": "localmcp", "server_url": server_url}
    stream = client_of(scope).responses.create(
        model="openai/gpt-4o", input=question, tools=[tool], stream=True
    )
    chunks = list(stream)
    return {
        "classes": [type(chunk).__name__ for chunk in chunks],
        "events": [plain(chunk) for chunk in chunks],
        "text": chunks[-1].response.output_text,
    }


def repeated(scope: str, question: str, tool: dict[str, object]) -> dict[str, object]:
    """Send the question again, with the result of its function."""
    client = client_of(scope)
    first = client.responses.create(model="openai/gpt-4o", input=question, tools=[tool], stream=False)
    result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "It is raining."}
    second = client.responses.create(
        model="openai/gpt-4o",
        input=[{"role": "user", "content": question}, result],
        tools=[tool],
        stream=False,
        previous_response_id=first.id,
    )
    return {"types": [item.type for item in second.output], "text": second.output_text}


def file_search(embedding_model: str, content: str) -> dict[str, object]:
    """Put a file into a vector store with described dimensions, and ask about it."""
    client = client_of("file search")
    described = {"embedding_model": embedding_model, "embedding_dimension": 768}
    store = client.vector_stores.create(name="test_vector_store", extra_body=described)
    path = Path(tempfile.mkdtemp()) / "test.txt"
    path.write_text(content)
    with path.open("rb") as opened:
        file = client.files.create(file=opened, purpose="assistants")
    attached = client.vector_stores.files.create(vector_store_id=store.id, file_id=file.id)
    response = client.responses.create(
        model="gpt-4o",
        input=QUESTION,
        tools=[{"type": "file_search", "vector_store_ids": [store.id]}],
        stream=False,
        include=["file_search_call.results"],
    )
    return {"status": attached.status, "response": plain(response), "text": response.output_text}


def approval(server_url: str, approve: bool) -> dict[str, object]:
    """Send a call that waits for its approval, and the approval."""
    client = client_of("approval")
    tool = {"type": "mcp", "server_label": "localmcp", "server_url": server_url, "require_approval": "always"}
    first = client.responses.create(model="up/m", input="Who?", tools=[tool], stream=False)
    answer = {"approval_request_id": first.output[1].id, "approve": approve}
    second = client.responses.create(
        previous_response_id=first.id,
        model="up/m",
        input=[{"type": "mcp_approval_response", **answer}],
        tools=[tool],
        stream=False,
    )
    return {"kinds": [[item.type for item in response.output] for response in (first, second)]}


def token(server_url: str, secret: str) -> dict[str, object]:
    """Use a server that requires a token: without one, in `headers`, and as the parameter."""
    client = client_of("token")
    tool = {"type": "mcp", "server_label": "localmcp", "server_url": server_url}
    outcomes: list[object] = []
    for more in ({}, {"headers": {"Authorization": f"Bearer {secret}"}}, {"authorization": secret}):
        try:
            response = client.responses.create(
                model="up/m", input="Who?", tools=[{**tool, **more}], stream=False
            )
            outcomes.append([item.type for item in response.output])
        except APIStatusError as error:
            outcomes.append(type(error).__name__)
    return {"outcomes": outcomes}


def small_things() -> dict[str, object]:
    """Delete an item, read a chat stream to its end, and exceed the limit of calls."""
    client = client_of("small")
    conversation = client.conversations.create(items=[{"type": "message", "role": "user", "content": "Hi"}])
    path = f"/v1/conversations/{conversation.id}/items"  # Version 0.3.0 has no method to delete an item.
    item_id = client.get(path, cast_to=object)["data"][0]["id"]
    deleted = client.delete(f"{path}/{item_id}", cast_to=object)
    if hasattr(client.conversations.items, "delete"):
        (item,) = client.conversations.items.create(
            conversation.id, items=[{"type": "message", "role": "user", "content": "Hi"}]
        ).data
        item_id = item.id
        deleted = plain(client.conversations.items.delete(item_id, conversation_id=conversation.id))
    messages = [{"role": "user", "content": "Hi"}]
    stream = client.chat.completions.create(model="up/m", messages=messages, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    limited = client.responses.create(
        model="up/m",
        input="?",
        tools=[{"type": "web_search"}],
        stream=False,
        extra_body={"max_tool_calls": 1},
    )
    return {
        "deleted": [deleted["id"] == item_id, deleted["object"], deleted["deleted"]],
        "said": said,
        "kinds": [item.type for item in limited.output],
    }


scenario = globals()[sys.argv[1]]
sys.stdout.write(json.dumps(scenario(**json.loads(sys.argv[2]))))
