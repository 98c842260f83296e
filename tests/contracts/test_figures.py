"""What dashboards and alert rules ask for is what `/metrics` tells, and everything it tells is shown somewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

import nexuscore.main
from nexuscore.kernel import metrics

DEPLOY = Path(nexuscore.__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
BOARD = DEPLOY / "grafana" / "nexuscore.json"
OF_PROMETHEUS = {"instance", "job", "process", "le"}
KNOWN = {name: set(labels) for name, _, labels, _ in metrics.known()}
PARTS = {name: ("_bucket", "_count", "_sum") if kind == "histogram" else ("",) for name, kind, _, _ in metrics.known()}
SAMPLES = {name + part: name for name, parts in PARTS.items() for part in parts}
OF_PROCESS = set(re.findall(r"^((?:process|python)_\w+)", metrics.of_process(), re.MULTILINE))


def rules() -> dict[str, str]:
    """Every alert's expression, by its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def panels() -> Iterator[tuple[str, str, str]]:
    """Every question of the dashboard: whose it is, the expression, and how its answers are called."""
    for panel in json.loads(BOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def faults(expression: str) -> list[str]:
    """What an expression asks for that nobody tells: names, and labels of its selectors and groups."""
    found = []
    labels: set[str] = set()
    for name in re.findall(r"\b(?:nexus|process|python)_\w+", expression):
        if name not in SAMPLES and name not in OF_PROCESS:
            found.append(f"there is no {name}")
        labels |= KNOWN.get(SAMPLES.get(name, ""), set())
    asked = [each for group in re.findall(r"\bby \(([^)]*)\)", expression) for each in group.split(",")]
    asked += re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression)
    return found + [f"nothing has {each.strip()}" for each in asked if each.strip() not in labels | OF_PROMETHEUS]


@pytest.mark.parametrize(("name", "expression"), list(rules().items()), ids=list(rules()))
def test_a_rule_asks_for_what_there_is(name: str, expression: str) -> None:
    assert faults(expression) == []


@pytest.mark.parametrize(("title", "expression", "legend"), list(panels()))
def test_a_panel_asks_for_what_there_is(title: str, expression: str, legend: str) -> None:
    assert faults(expression) == []
    by = {each.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for each in group.split(",")}
    assert set(re.findall(r"{{(\w+)}}", legend)) <= by | {"instance", "process"}


def test_every_figure_is_on_the_dashboard() -> None:
    shown = {SAMPLES.get(name) for _, expression, _ in panels() for name in re.findall(r"nexus_\w+", expression)}
    assert set(KNOWN) - shown == set()


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"info", "warning", "critical"}
            assert set(rule["annotations"]) == {"summary", "what_to_do"}


def test_a_false_question_is_noticed() -> None:
    assert faults("rate(nexus_http_request_total[5m])") == ["there is no nexus_http_request_total"]
    assert faults('sum by (path) (nexus_http_requests_total{verb="GET"})') == ["nothing has path", "nothing has verb"]
    assert faults("nexus_http_request_duration_seconds") == ["there is no nexus_http_request_duration_seconds"]
