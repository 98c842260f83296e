"""What is counted for a request or job: by whom, where, and what it says afterwards."""

import asyncio
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexuscore.kernel import metrics, sight

USUAL = sight.Thresholds(slow_ms=1000, queries=10, too_many=50)


def shown(name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(metrics.of_process()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


async def spend(queries: int) -> sight.Tally:
    """A request: what it does, and what its child tasks do."""
    tally, token = sight.begin()
    for _ in range(queries):
        sight.query(sight.tally(), "SELECT 1", 0.001)
        await asyncio.sleep(0)

    async def child() -> None:
        sight.cache_miss(0.0001)
        with sight.outside("test"):
            await asyncio.sleep(0)

    await asyncio.gather(child(), child())
    sight.end(token)
    return tally


@pytest.mark.anyio
async def test_each_request_counts_its_own_and_that_of_its_tasks() -> None:
    tallies = await asyncio.gather(*(asyncio.create_task(spend(number)) for number in (1, 2, 3)))
    assert [tally.queries for tally in tallies] == [1, 2, 3]
    assert [tally.cache_misses for tally in tallies] == [2, 2, 2]
    assert [tally.outside_calls for tally in tallies] == [2, 2, 2]
    assert tallies[2].query_seconds == pytest.approx(0.003)
    assert sight.tally() not in tallies, "what comes after a request is not counted for it"


def test_what_was_used_is_told_with_its_time_and_nothing_else() -> None:
    tally, token = sight.begin()
    assert tally.spent() == {}
    sight.query(tally, "SELECT 1", 0.0021)
    sight.cache_hit(0.00001)
    sight.cache_miss()
    with sight.outside("test"):
        pass
    sight.end(token)
    told = tally.spent()
    outside_ms = told.pop("outside_ms")
    assert isinstance(outside_ms, float)
    assert told == {
        "queries": 1, "db_ms": 2.1, "cache_hits": 1, "cache_misses": 1, "cache_ms": 0.01, "outside_calls": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("queries", "seconds", "notices"),
    [
        (10, 1.0, []),
        (11, 0.1, ["many_queries"]),
        (50, 0.1, ["many_queries"]),
        (51, 0.1, ["too_many_queries"]),
        (0, 1.001, ["slow"]),
        (51, 1.001, ["slow", "too_many_queries"]),
    ],
)
def test_from_the_thresholds_on_it_is_worth_a_warning(queries: int, seconds: float, notices: list[str]) -> None:
    tally = sight.Tally()
    tally.queries = queries
    assert USUAL.notices(tally, seconds) == notices


def test_a_call_outside_carries_the_trace_and_counts_how_it_ended() -> None:
    purpose = f"test-{uuid4()}"
    _, token = sight.begin("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1")
    with sight.outside(purpose) as call:
        call.status = 200
    assert call.headers == {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "vendor=1",
    }
    with sight.outside(purpose) as call:
        call.status = 503
    with pytest.raises(OSError, match="lost"), sight.outside(purpose):
        raise OSError("lost")
    sight.end(token)
    assert shown("nexus_outside_calls_total", to=purpose, outcome="answered") == 1
    assert shown("nexus_outside_calls_total", to=purpose, outcome="failed") == 2
    assert shown("nexus_outside_call_duration_seconds_count", to=purpose) == 3


def test_outside_every_request_nothing_is_carried() -> None:
    with sight.outside("test") as call:
        assert call.headers == {}
