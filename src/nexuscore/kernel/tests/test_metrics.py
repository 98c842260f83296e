"""What is counted comes out, under few and bounded labels."""

import uuid

from prometheus_client.parser import text_string_to_metric_families

from nexuscore.kernel import metrics


def shown(name: str, **labels: str) -> float | None:
    text, _ = metrics.render()
    for family in text_string_to_metric_families(text.decode()):
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
    assert b"BREW" not in metrics.render()[0]


def test_queries_jobs_and_events_are_counted() -> None:
    queries = shown("nexus_db_queries_total") or 0
    kind = f"notes.digest-{uuid.uuid4()}"
    metrics.observe_queries(3, 0.5)
    metrics.observe_job(kind, "done", 0.2)
    metrics.observe_job(kind, "retried", 0.2)
    metrics.count_event(kind)
    metrics.count_event(kind, 2)
    assert shown("nexus_db_queries_total") == queries + 3
    assert shown("nexus_jobs_total", kind=kind, outcome="done") == 1
    assert shown("nexus_job_duration_seconds_count", kind=kind) == 2
    assert shown("nexus_events_total", type=kind) == 3


def test_the_process_is_described() -> None:
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    assert b"process_resident_memory_bytes" in text
    assert b"python_info" in text
