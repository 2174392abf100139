"""Quality of the default search with the questions of `bench.search`, on both databases."""

from antiphon.store import Store
from bench.quality import rank_all
from bench.questions import load, load_vectors
from tests.store.conftest import Run


def test_hybrid_search_is_at_least_as_good_as_the_better_of_both(store: Store, run: Run) -> None:
    """It is better at rare names and numbers, and no weak match of words disturbs what vectors find."""
    figures = run(rank_all(store, load(), load_vectors()))
    hybrid = figures["hybrid"]
    for other in ("keyword", "semantic"):
        for within in (1, 5):
            assert hybrid.hits("paraphrased", within) >= figures[other].hits("paraphrased", within)
        assert hybrid.hits("rare", 1) > figures[other].hits("rare", 1)
        assert round(hybrid.mrr("paraphrased"), 4) >= round(figures[other].mrr("paraphrased"), 4)
        assert hybrid.mrr("rare") > figures[other].mrr("rare")
