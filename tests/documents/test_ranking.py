from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.documents.ranking import Found, Ranking, decode_ranking, fuse
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON


def test_what_both_searches_found_comes_first() -> None:
    words = Found("keyword", 1.0, {"a": 0.9, "b": 0.5})
    vectors = Found("semantic", 1.0, {"c": 0.8, "b": 0.7})
    assert [key for key, _ in fuse([[words, vectors]], 10)] == ["b", "a", "c"]


def test_the_score_is_the_weighted_mean_and_falls_with_the_ranks() -> None:
    words = Found("keyword", 1.0, {"a": 1.0, "b": 0.4})
    vectors = Found("semantic", 3.0, {"a": 0.6, "b": 0.8})
    hits = fuse([[words, vectors]], 10)
    # b has the better rank in the search with the larger weight.
    assert [key for key, _ in hits] == ["b", "a"]
    assert [score for _, score in hits] == pytest.approx([0.7, 0.7])


@pytest.mark.parametrize("kind", ["keyword", "semantic"])
def test_a_single_search_keeps_its_order_and_scores(kind: Literal["keyword", "semantic"]) -> None:
    found = Found(kind, 0.5, {1: 0.2, 2: 0.5, 3: 0.9})
    assert fuse([[found]], 10) == [(3, 0.9), (2, 0.5), (1, 0.2)]


def test_a_weak_match_of_words_changes_nothing() -> None:
    """Questions share words with chunks about other things."""
    vectors = Found("semantic", 1.0, {"right": 0.86, "near": 0.84, "other": 0.75, "far": 0.7})
    words = Found("keyword", 1.0, {"other": 0.09, "elsewhere": 0.1})
    assert [key for key, _ in fuse([[vectors, words]], 10)][:3] == ["right", "near", "other"]


def test_a_weak_match_of_words_does_not_reorder_neighboring_vectors() -> None:
    """The nearest of many vectors differ little."""
    cosines = {f"nearest {number}": 0.9 - number * 0.005 for number in range(40)}
    words = Found("keyword", 1.0, {"nearest 2": 0.1, "nearest 6": 0.08, "elsewhere": 0.1})
    ranked = [key for key, _ in fuse([[Found("semantic", 1.0, cosines), words]], 10)]
    assert ranked == list(cosines)[:10]


def test_a_strong_match_of_words_comes_first_although_its_vector_is_far() -> None:
    """Vectors hardly represent part numbers."""
    vectors = Found("semantic", 1.0, {f"similar {number}": 0.9 - number / 1000 for number in range(100)})
    words = Found("keyword", 1.0, {"right": 0.38, "similar 3": 0.05})
    assert [key for key, _ in fuse([[vectors, words]], 2)] == ["right", "similar 0"]


def test_the_range_of_the_cosines_does_not_matter() -> None:
    words = Found("keyword", 1.0, {"c": 0.3})
    for cosines in ((0.9, 0.88, 0.86, 0.82), (0.5, 0.4, 0.3, 0.1)):
        vectors = Found("semantic", 1.0, dict(zip("abcd", cosines, strict=True)))
        assert [key for key, _ in fuse([[vectors, words]], 10)] == ["c", "a", "b", "d"]


def test_weights_decide_between_the_first_of_each() -> None:
    words, vectors = {"by keyword": 0.5}, {"by vector": 0.5}
    for weights, first in (((1, 1), "by keyword"), ((1, 3), "by vector")):
        searches = [Found("keyword", weights[0], words), Found("semantic", weights[1], vectors)]
        hits = fuse([searches], 1)
        assert [key for key, _ in hits] == [first]


def test_of_several_queries_the_best_answered_counts() -> None:
    first, second = Found("keyword", 1.0, {"a": 0.9}), Found("keyword", 1.0, {"a": 0.1, "b": 0.3})
    assert fuse([[first], [second]], 10) == [("a", 0.9), ("b", 0.3)]


def test_results_below_the_threshold_are_omitted() -> None:
    found = Found("semantic", 1.0, {"a": 0.9, "b": 0.5, "c": 0.49})
    assert [key for key, _ in fuse([[found]], 10, 0.5)] == ["a", "b"]


@given(
    st.lists(
        st.lists(
            st.builds(
                Found,
                st.sampled_from(["keyword", "semantic"]),
                st.floats(0.1, 5),
                st.dictionaries(st.integers(0, 9), st.floats(0, 1)),
            ),
            max_size=2,
        ),
        max_size=3,
    ),
    st.integers(1, 5),
    st.floats(0, 1),
)
def test_scores_are_bounded_and_fall(queries: list[list[Found[int]]], limit: int, threshold: float) -> None:
    hits = fuse(queries, limit, threshold)
    scores = [score for _, score in hits]
    assert len(hits) <= limit
    assert len({key for key, _ in hits}) == len(hits)
    assert scores == sorted(scores, reverse=True)
    assert all(threshold <= score <= 1 for score in scores)


def test_the_options_are_decoded() -> None:
    assert decode_ranking(None) == Ranking(0.0, 1.0, 1.0)
    assert decode_ranking({"ranker": "auto", "score_threshold": 0.25}) == Ranking(0.25)
    weights = {"embedding_weight": 0, "text_weight": 2}
    assert decode_ranking({"hybrid_search": weights}) == Ranking(0.0, 0.0, 2.0)


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ([], "ranking_options", "invalid_type"),
        ({"ranker": "best"}, "ranking_options.ranker", "invalid_value"),
        ({"ranker": []}, "ranking_options.ranker", "invalid_value"),
        ({"score_threshold": 1.5}, "ranking_options.score_threshold", "invalid_value"),
        ({"score_threshold": -0.1}, "ranking_options.score_threshold", "invalid_value"),
        ({"score_threshold": "0"}, "ranking_options.score_threshold", "invalid_type"),
        ({"score_threshold": True}, "ranking_options.score_threshold", "invalid_type"),
        ({"hybrid_search": 1}, "ranking_options.hybrid_search", "invalid_type"),
        (
            {"hybrid_search": {"text_weight": 1}},
            "ranking_options.hybrid_search.embedding_weight",
            "missing_required_parameter",
        ),
        (
            {"hybrid_search": {"text_weight": -1, "embedding_weight": 1}},
            "ranking_options.hybrid_search.text_weight",
            "invalid_value",
        ),
        (
            {"hybrid_search": {"text_weight": 0, "embedding_weight": 0}},
            "ranking_options.hybrid_search",
            "invalid_value",
        ),
    ],
)
def test_what_is_wrong_is_a_400_that_names_the_place(options: JSON, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_ranking(options)
    assert (caught.value.param, caught.value.code) == (param, code)
