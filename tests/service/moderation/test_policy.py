"""Verdicts of chat models."""

import pytest

from antiphon.service.moderation.policy import verdict_in


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"flagged": false}', {}),
        ('{"flagged": true}', {"policy": 1.0}),
        ('{"flagged": true, "categories": ["insult", "threat"]}', {"insult": 1.0, "threat": 1.0}),
        ('{"flagged": true, "categories": {"insult": 0.75, "threat": false}}', {"insult": 0.75}),
        ('Here it is:\n```json\n{"flagged": true, "categories": ["insult"]}\n```', {"insult": 1.0}),
        ("safe", {}),
        ("Safe.", {}),
        ("unsafe", {"policy": 1.0}),
        ("\nunsafe\nS1,S10", {"S1": 1.0, "S10": 1.0}),
        ("", None),
        ("I think that this is fine.", None),
        ('{"flagged": "perhaps"}', None),
        ("{}", None),
        ("not safe", None),
    ],
)
def test_a_verdict_is_read_in_both_forms(text: str, found: dict[str, float] | None) -> None:
    assert verdict_in(text, "policy") == found


def test_an_answer_with_many_categories_is_bounded() -> None:
    names = ", ".join(f'"{number}"' for number in range(1000))
    found = verdict_in(f'{{"flagged": true, "categories": [{names}]}}', "policy")
    assert found is not None
    assert len(found) == 50
