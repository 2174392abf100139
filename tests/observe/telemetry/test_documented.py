"""The pages about metrics and the manifests name metrics that exist."""

import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from antiphon.observe.telemetry import names
from antiphon.observe.telemetry.metrics import Metrics
from antiphon.observe.telemetry.names import Conventions
from antiphon.observe.telemetry.series import ALL
from antiphon.wire.json import JSON

ROOT = Path(__file__).resolve().parents[3]


def known() -> set[str]:
    """Return the names of all samples."""
    found = {each.shown for each in ALL}
    return found | {f"{each.name}{end}" for each in ALL for end in ("_bucket", "_count", "_sum")}


def documents() -> list[JSON]:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    return [
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def test_alert_rules_ask_for_metrics_and_labels_that_exist() -> None:
    (group,) = [document["groups"][0] for document in documents() if "groups" in document]
    assert len(group["rules"]) == 8
    labels = {label for each in ALL for label in each.labels} | {"le", "instance", "job"}
    for rule in group["rules"]:
        expression = rule["expr"]
        assert {*re.findall(r"antiphon_\w+", expression)} <= known(), rule["alert"]
        assert {*re.findall(r"(\w+)=\"", expression)} <= labels, rule["alert"]
        grouped = [
            each for inside in re.findall(r"by \(([^)]*)\)", expression) for each in inside.split(", ")
        ]
        assert {*grouped} <= labels, rule["alert"]
        assert expression.count("(") == expression.count(")")
        assert re.fullmatch(r"\d+m", rule["for"])


def test_the_autoscaler_asks_for_a_metric_that_exists() -> None:
    manifest = yaml.safe_load((ROOT / "deploy" / "kubernetes.queue.yaml").read_text(encoding="utf-8"))
    asked = [
        metric["external"]["metric"]["name"] for metric in manifest["spec"]["metrics"] if "external" in metric
    ]
    assert asked == ["antiphon_background_queued"]
    assert {*asked} <= known()


def test_the_list_of_metrics_is_the_one_of_the_code() -> None:
    text = Metrics().text((0, 0)).decode()
    shown = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    assert shown == {each.shown for each in ALL}


@pytest.mark.parametrize(("value", "latest"), [("", False), ("http, gen_ai_latest_experimental", True)])
def test_a_variable_chooses_the_latest_names(value: str, latest: bool) -> None:
    conventions = Conventions.of({"OTEL_SEMCONV_STABILITY_OPT_IN": value})
    duration = "inference" if latest else "operation"
    assert names.CALL_DURATION.of(conventions) == f"gen_ai.client.{duration}.duration"
    assert names.AGENT_DURATION.of(conventions) == "gen_ai.invoke_agent.duration"
    tokens = {each.of(conventions) for each in (names.CALL_INPUT_TOKENS, names.CALL_OUTPUT_TOKENS)}
    assert len(tokens) == (2 if latest else 1)
