"""What is counted comes out, under few and bounded labels, and that of several processes side by side."""

import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexuscore.kernel import metrics


def shown(name: str, text: str = "", **labels: str) -> float | None:
    for family in text_string_to_metric_families(text or metrics.of_process() + metrics.of_installation()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def test_a_request_is_counted_under_its_template_and_class_of_status() -> None:
    route = f"/notes/{uuid.uuid4()}"  # not a template, but a label no other test has
    for status in (200, 201, 404):
        metrics.observe_request("GET", route, status, 0.02)
    assert shown("nexus_http_requests_total", method="GET", route=route, status="2xx") == 2
    assert shown("nexus_http_requests_total", method="GET", route=route, status="4xx") == 1
    name = "nexus_http_request_duration_seconds"
    assert shown(f"{name}_count", method="GET", route=route, status="2xx") == 2
    assert shown(f"{name}_bucket", method="GET", route=route, status="2xx", le="0.01") == 0
    assert shown(f"{name}_bucket", method="GET", route=route, status="2xx", le="0.025") == 2


def test_invented_methods_and_unknown_paths_share_one_label() -> None:
    before = shown("nexus_http_requests_total", method="other", route="unmatched", status="4xx") or 0
    metrics.observe_request("BREW", "", 405, 0.001)
    metrics.observe_request("PROPFIND", "", 405, 0.001)
    assert shown("nexus_http_requests_total", method="other", route="unmatched", status="4xx") == before + 2
    assert "BREW" not in metrics.of_process()


def test_queries_jobs_cache_and_events_are_counted() -> None:
    queries = shown("nexus_db_queries_total") or 0
    hits = shown("nexus_cache_lookups_total", outcome="hit") or 0
    kind = f"notes.digest-{uuid.uuid4()}"
    metrics.observe_queries(3, 0.5)
    metrics.observe_cache(2, 1)
    metrics.observe_job(kind, "done", 0.2)
    metrics.observe_job(kind, "again", 0.2)
    metrics.count_event(kind)
    metrics.count_event(kind, 2)
    assert shown("nexus_db_queries_total") == queries + 3
    assert shown("nexus_cache_lookups_total", outcome="hit") == hits + 2
    assert shown("nexus_jobs_total", kind=kind, outcome="done") == 1
    assert shown("nexus_jobs_total", kind=kind, outcome="again") == 1
    assert shown("nexus_job_duration_seconds_count", kind=kind) == 2
    assert shown("nexus_events_total", type=kind) == 3


def test_the_queue_shows_what_there_is_now() -> None:
    metrics.show_queue([("mail.deliver", 3, 1, 0), ("notes.digest", 0, 0, 2)], 12.5)
    assert shown("nexus_jobs_waiting", kind="mail.deliver") == 3
    assert shown("nexus_jobs_dead", kind="notes.digest") == 2
    assert shown("nexus_job_lag_seconds") == 12.5
    metrics.show_queue([], 0)
    assert shown("nexus_jobs_waiting", kind="mail.deliver") is None


def test_the_pool_shows_what_is_used_of_it() -> None:
    metrics.watch_pool(lambda: (7, 4, 20))
    assert shown("nexus_db_pool_connections", state="used") == 3
    assert shown("nexus_db_pool_connections", state="idle") == 4
    assert shown("nexus_db_pool_limit") == 20


def test_processes_stand_side_by_side() -> None:
    one = '# HELP up_total Ups.\n# TYPE up_total counter\nup_total 1.0\nby{a="x,y"} 2.0\n'
    two = '# HELP up_total Ups.\n# TYPE up_total counter\nup_total 5.0\nby{a="x,y"} 6.0\n'
    text = metrics.merged({"1": one, "2": two})
    assert text.count("# TYPE up_total") == 1
    assert shown("up_total", text, process="1") == 1
    assert shown("up_total", text, process="2") == 5
    assert shown("by", text, process="2", a="x,y") == 6


def test_what_merges_is_still_what_prometheus_reads() -> None:
    metrics.observe_request("GET", "/merged", 200, 0.02)
    text = metrics.merged({"1": metrics.of_process(), "2": metrics.of_process()})
    families = [family.name for family in text_string_to_metric_families(text)]
    assert len(families) == len(set(families)), "a family is in one place"
    labels = {"process": "2", "method": "GET", "route": "/merged", "status": "2xx"}
    assert shown("nexus_http_requests_total", text, **labels) == shown(
        "nexus_http_requests_total", method="GET", route="/merged", status="2xx"
    )


@pytest.mark.parametrize("found", metrics.known(), ids=lambda found: found[0])
def test_everything_of_ours_says_what_it_is_and_has_few_labels(found: tuple[str, str, tuple[str, ...], str]) -> None:
    name, _, labels, meaning = found
    assert name.startswith("nexus_")
    assert meaning.endswith(".")
    assert set(labels) <= {"method", "route", "status", "code", "notice", "state", "outcome", "to", "kind", "type",
                           "policy", "priority", "rule", "severity", "process"}  # fmt: skip
