"""Results of checks."""

from openai.types.moderation import Categories

from antiphon.service.moderation.results import image_part, input_types, joined, result_of, text_part

PARTS = [text_part("Hi"), image_part("data:image/png;base64,AA=="), text_part("Ho")]


def test_a_result_has_the_categories_that_openais_clients_expect() -> None:
    result = result_of("words", {}, [text_part("Hi")])
    expected = {field.alias or name for name, field in Categories.model_fields.items()}
    assert set(result.categories) == expected
    assert set(result.category_scores) == expected
    assert not result.flagged


def test_the_types_of_parts_are_named_once() -> None:
    assert input_types(PARTS) == ["text", "image"]
    assert result_of("words", {}, PARTS).category_applied_input_types["hate"] == ["text", "image"]


def test_several_results_become_one_with_the_highest_scores() -> None:
    one = result_of("words", {"insult": 0.25}, [text_part("Hi")])
    other = result_of("policy", {"insult": 0.5, "threat": 1.0}, [image_part("https://a.example/b.png")])
    both = joined([one, other, result_of("words", {}, [text_part("Hi")])])
    assert both.model == "words, policy"
    assert both.flagged
    assert (both.category_scores["insult"], both.category_scores["threat"]) == (0.5, 1.0)
    assert (both.categories["threat"], both.categories["hate"]) == (True, False)
    assert both.category_applied_input_types["hate"] == ["text", "image"]
