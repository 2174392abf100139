import pytest

from antiphon.settings.embedding_inputs import EmbeddingInput, usual_input

INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "


@pytest.mark.parametrize(
    ("model", "query", "passage"),
    [
        ("e5/intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("e5/intfloat/multilingual-e5-large-instruct", INSTRUCT, ""),
        ("e5/intfloat/e5-mistral-7b-instruct", INSTRUCT, ""),
        ("tei/BAAI/bge-m3", "", ""),
        (
            "tei/BAAI/bge-small-en-v1.5",
            "Represent this sentence for searching relevant passages: ",
            "",
        ),
        ("ollama/snowflake-arctic-embed2", "query: ", ""),
        ("ollama/embeddinggemma:300m", "task: search result | query: ", "title: none | text: "),
        ("openai/text-embedding-3-large", "", ""),
        ("ollama/all-minilm", "", ""),
        ("e5-lab/other", "", ""),  # Names of backends don't matter.
    ],
)
def test_the_usual_form_follows_from_the_models_name(model: str, query: str, passage: str) -> None:
    assert usual_input(model) == EmbeddingInput(query_prefix=query, passage_prefix=passage)
