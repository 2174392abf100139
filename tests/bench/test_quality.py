import pytest

from bench.quality import Figures
from bench.questions import KINDS, LANGUAGES, load, load_vectors


def test_there_are_a_hundred_documents_and_questions_in_several_languages() -> None:
    asked = load()
    assert len(LANGUAGES) >= 3
    assert min(len(asked.documents), len(asked.questions)) >= 100
    assert len(set(asked.documents)) == len(asked.documents)
    assert {question.kind for question in asked.questions} == set(KINDS)
    assert len(load_vectors()) == len(asked.documents) + len(asked.questions)


def test_the_figures_follow_from_the_ranks() -> None:
    figures = Figures()
    figures.ranks["rare"] = [1, 2, 5, 10, 0]
    assert (figures.hits("rare", 1), figures.hits("rare", 5)) == (1, 3)
    assert figures.mrr("rare") == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 10) / 5)
