"""The form in which an embedding model wants its texts: prefixes or `input_type`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Role = Literal["query", "passage"]
"""The role of a text: a query, or a passage of a file."""


class EmbeddingInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The form of an embedding model's texts."""

    query_prefix: Annotated[str, Meta(max_length=1000)] = ""
    """Text before each query."""
    passage_prefix: Annotated[str, Meta(max_length=1000)] = ""
    """Text before each passage."""
    query_input_type: str | None = None
    """`input_type` of requests with queries; None for requests without it."""
    passage_input_type: str | None = None
    """`input_type` of requests with passages; None for requests without it."""

    def of(self, role: Role) -> tuple[str, str | None]:
        """Return the prefix and the `input_type` of texts."""
        if role == "query":
            return self.query_prefix, self.query_input_type
        return self.passage_prefix, self.passage_input_type


_INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
_SENTENCE = "Represent this sentence for searching relevant passages: "
_PLAIN = EmbeddingInput()
_USUAL = (
    # The first name that a model's id contains applies. Each form is that of the model's own documentation.
    ("e5-mistral", EmbeddingInput(query_prefix=_INSTRUCTION)),
    ("e5-large-instruct", EmbeddingInput(query_prefix=_INSTRUCTION)),
    ("e5-", EmbeddingInput(query_prefix="query: ", passage_prefix="passage: ")),
    ("nomic-embed", EmbeddingInput(query_prefix="search_query: ", passage_prefix="search_document: ")),
    ("bge-m3", _PLAIN),
    ("bge-small-zh", EmbeddingInput(query_prefix="为这个句子生成表示以用于检索相关文章：")),
    ("bge-base-zh", EmbeddingInput(query_prefix="为这个句子生成表示以用于检索相关文章：")),
    ("bge-large-zh", EmbeddingInput(query_prefix="为这个句子生成表示以用于检索相关文章：")),
    ("bge-", EmbeddingInput(query_prefix=_SENTENCE)),
    ("mxbai-embed-large", EmbeddingInput(query_prefix=_SENTENCE)),
    ("arctic-embed-m-v2", EmbeddingInput(query_prefix="query: ")),
    ("arctic-embed-l-v2", EmbeddingInput(query_prefix="query: ")),
    ("arctic-embed2", EmbeddingInput(query_prefix="query: ")),
    ("arctic-embed", EmbeddingInput(query_prefix=_SENTENCE)),
    (
        "embeddinggemma",
        EmbeddingInput(query_prefix="task: search result | query: ", passage_prefix="title: none | text: "),
    ),
    ("qwen3-embedding", EmbeddingInput(query_prefix=_INSTRUCTION)),
    ("voyage-", EmbeddingInput(query_input_type="query", passage_input_type="document")),
    ("embed-v4", EmbeddingInput(query_input_type="search_query", passage_input_type="search_document")),
    ("embed-english", EmbeddingInput(query_input_type="search_query", passage_input_type="search_document")),
    (
        "embed-multilingual",
        EmbeddingInput(query_input_type="search_query", passage_input_type="search_document"),
    ),
    ("nv-embed", EmbeddingInput(query_input_type="query", passage_input_type="passage")),
)


def usual_input(model: str) -> EmbeddingInput:
    """Return the form that models of this name want; plain texts for unknown ones."""
    name = model.rpartition("/")[2].lower()
    return next((form for part, form in _USUAL if part in name), _PLAIN)
