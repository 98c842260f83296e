"""Error rate and latency over the last requests and minutes."""

from hypothesis import given, settings, strategies as st

from nexuscore.kernel.windows import KEPT, LATEST, Sample, Windows, figures

SAMPLES = st.lists(
    st.builds(
        Sample,
        at=st.floats(0, 3600),
        seconds=st.floats(0, 60),
        failed=st.booleans(),
        slow=st.booleans(),
        hits=st.integers(0, 5),
        misses=st.integers(0, 5),
    ),
    max_size=300,
)


@settings(max_examples=100)
@given(SAMPLES)
def test_p39_every_requests_time_and_error_state_is_collected(samples: list[Sample]) -> None:
    """Feature: premium-app-infrastructure, Property 39: every request's time and error state collected."""
    windows = Windows()
    ordered = sorted(samples, key=lambda sample: sample.at)
    for sample in ordered:
        windows.add(sample)
    buckets = windows.buckets()
    assert sum(each.requests for each in buckets) == len(samples)
    assert sum(each.errors for each in buckets) == sum(each.failed for each in samples)
    assert abs(sum(each.seconds for each in buckets) - sum(each.seconds for each in samples)) < 1e-6
    latest = windows.latest(-1.0)
    assert latest == figures(ordered[-LATEST:])
    assert latest.requests == min(len(samples), LATEST)
    if samples:
        times = sorted(each.seconds for each in ordered[-LATEST:])
        assert sum(time <= latest.p95 for time in times) >= 0.95 * len(times)
        assert latest.p95 in times


def test_a_bucket_is_five_minutes_and_an_hour_is_kept() -> None:
    windows = Windows()
    for minute in range(120):
        windows.add(Sample(minute * 60.0, 0.1, minute % 10 == 0, False, 0, 0))
    buckets = windows.buckets()
    assert len(buckets) == KEPT
    assert [bucket.start for bucket in buckets[:2]] == [3600.0, 3900.0]
    assert {bucket.requests for bucket in buckets} == {5}
    assert sum(bucket.errors for bucket in buckets) == 6


def test_what_is_older_than_asked_does_not_count() -> None:
    windows = Windows()
    windows.add(Sample(100.0, 0.1, True, False, 1, 3))
    windows.add(Sample(500.0, 0.3, False, False, 0, 0))
    assert (windows.latest(200.0).requests, windows.latest(200.0).error_rate) == (1, 0.0)
    assert (windows.latest().error_rate, windows.latest().hit_rate) == (0.5, 0.25)
    assert figures([]).error_rate == 0.0
    assert figures([]).hit_rate == 1.0
