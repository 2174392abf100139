"""Files and vector stores, through OpenAI's own client."""

from openai import OpenAI

APPLES = b"Apples grow on trees. An apple a day keeps the doctor away."
OCEANS = b"Oceans are deep. Whales swim in them."


def test_a_file_lives_from_upload_to_deletion(client: OpenAI) -> None:
    file = client.files.create(file=("apples.txt", APPLES), purpose="assistants")
    assert file.id.startswith("file-")
    assert (file.filename, file.bytes, file.purpose, file.status) == (
        "apples.txt",
        len(APPLES),
        "assistants",
        "processed",
    )
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == APPLES
    assert [each.id for each in client.files.list(purpose="assistants", limit=1)][:1] == [file.id]
    assert client.files.wait_for_processing(file.id).status == "processed"
    assert client.files.delete(file.id).deleted


def test_a_vector_store_answers_searches(client: OpenAI) -> None:
    store = client.vector_stores.create(name="fruit", metadata={"a": "b"})
    attached = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("apples.txt", APPLES), attributes={"kind": "fruit", "year": 2024}
    )
    assert (attached.status, attached.last_error) == ("completed", None)
    assert attached.attributes == {"kind": "fruit", "year": 2024}
    found = client.vector_stores.search(store.id, query="apple trees")
    (result,) = found.data
    assert (result.file_id, result.filename) == (attached.id, "apples.txt")
    assert result.content[0].text == APPLES.decode()
    assert 0 < result.score <= 1
    nothing = client.vector_stores.search(
        store.id, query="apple", filters={"type": "lt", "key": "year", "value": 2000}
    )
    assert nothing.data == []
    (content,) = client.vector_stores.files.content(attached.id, vector_store_id=store.id).data
    assert content.text == APPLES.decode()
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 1
    assert client.vector_stores.delete(store.id).deleted


def test_a_batch_is_attached_together(client: OpenAI) -> None:
    store = client.vector_stores.create()
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("apples.txt", APPLES), ("oceans.txt", OCEANS)]
    )
    assert (batch.status, batch.file_counts.completed, batch.file_counts.total) == ("completed", 2, 2)
    files = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, order="asc")
    names = {client.files.retrieve(file.id).filename for file in files}
    assert names == {"apples.txt", "oceans.txt"}
    (result,) = client.vector_stores.search(store.id, query="whales").data
    assert result.filename == "oceans.txt"


def test_what_llama_stack_clients_add_is_taken(client: OpenAI) -> None:
    store = client.vector_stores.create(
        name="notes",
        extra_body={
            "embedding_model": "sentence-transformers/nomic-ai/nomic-embed-text-v1.5",
            "embedding_dimension": "768",
            "provider_id": "faiss",
        },
    )
    file = client.files.create(file=("apples.txt", APPLES), purpose="assistants")
    attached = client.vector_stores.files.create(store.id, file_id=file.id)
    # No backend has the embedding model, so that the search uses keywords.
    assert attached.status == "completed"
    assert [hit.file_id for hit in client.vector_stores.search(store.id, query="doctor").data] == [file.id]
