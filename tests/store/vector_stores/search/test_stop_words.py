import pytest

from antiphon.store.vector_stores.search.by_words import words
from antiphon.store.vector_stores.search.stop_words import without_stop_words


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("How often is the P-4711 serviced?", ["often", "p", "4711", "serviced"]),
        ("Wie schwer ist der V-230?", ["schwer", "v", "230"]),
        ("Combien de carburant utilise le M-610 ?", ["combien", "carburant", "utilise", "610"]),
        ("¿Cuándo se cambia el filtro de la bomba?", ["cambia", "filtro", "bomba"]),
        ("Quando si cambia il filtro della pompa?", ["cambia", "filtro", "pompa"]),
        ("Quando se troca o filtro da bomba?", ["troca", "filtro", "bomba"]),
        ("Wanneer wordt het filter van de pomp vervangen?", ["filter", "pomp", "vervangen"]),
        ("bomba", ["bomba"]),
        ("", []),
    ],
)
def test_the_words_of_the_questions_language_are_omitted(question: str, kept: list[str]) -> None:
    assert without_stop_words(words(question)) == kept


@pytest.mark.parametrize(
    "query", ["the war of 1812", "war and peace", "die hard", "what made him die", "war", "van life", "pour"]
)
def test_english_words_that_are_stop_words_elsewhere_remain(query: str) -> None:
    kept = without_stop_words(words(query))
    assert {"war", "die", "van", "pour"}.intersection(words(query)) <= set(kept)


@pytest.mark.parametrize("query", ["to be or not to be", "wer bist du", "the who"])
def test_a_query_of_stop_words_alone_is_kept(query: str) -> None:
    assert without_stop_words(words(query)) == words(query)
