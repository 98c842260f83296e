"""The circuit breaker, as a machine with three states."""

import pytest
from hypothesis import given, settings, strategies as st

from nexuscore.kernel import metrics
from nexuscore.kernel.breaker import Breaker
from nexuscore.kernel.errors import ServiceUnavailable


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def breaker(hand: Hand) -> Breaker:
    return Breaker("shop", failures=5, wait=30, now=hand)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.failed(OSError("down"))


def shown() -> float | None:
    """What the figures say of it."""
    return metrics.registry.get_sample_value("nexus_circuit_open", {"to": "shop"})


def test_it_opens_after_five_failures_in_a_row(breaker: Breaker) -> None:
    fail(breaker, 4)
    breaker.succeeded()
    fail(breaker, 4)
    assert breaker.state == "closed"
    fail(breaker)
    assert (breaker.state, breaker.allows(), breaker.retry_in()) == ("open", False, 30)
    assert shown() == 1


def test_after_the_wait_one_probe_at_a_time_may_try(breaker: Breaker, hand: Hand) -> None:
    fail(breaker, 5)
    hand.at += 29.9
    assert not breaker.allows()
    hand.at += 0.1
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    assert breaker.state == "half-open"
    assert shown() == 1
    breaker.succeeded()
    assert (breaker.state, breaker.allows()) == ("closed", True)
    assert shown() == 0


def test_a_probe_that_fails_keeps_it_open_for_another_wait(breaker: Breaker, hand: Hand) -> None:
    fail(breaker, 5)
    hand.at += 30
    fail(breaker)
    hand.at += 29.9
    assert not breaker.allows()
    hand.at += 0.1
    assert breaker.allows()


def test_a_probe_that_never_comes_back_does_not_keep_it_open_for_ever(breaker: Breaker, hand: Hand) -> None:
    fail(breaker, 5)
    hand.at += 30
    assert breaker.allows()
    hand.at += 30
    assert breaker.allows()


def test_a_late_success_does_not_close_it(breaker: Breaker) -> None:
    fail(breaker, 5)
    breaker.succeeded()
    assert breaker.state == "open"


def test_it_may_ask_for_several_good_probes(hand: Hand) -> None:
    breaker = Breaker("shop", failures=1, wait=30, probes=3, now=hand)
    fail(breaker)
    hand.at += 30
    for state in ("half-open", "half-open", "closed"):
        assert breaker.allows()
        breaker.succeeded()
        assert breaker.state == state


def test_after_closing_it_takes_five_failures_again(breaker: Breaker, hand: Hand) -> None:
    fail(breaker, 5)
    hand.at += 30
    assert breaker.allows()
    breaker.succeeded()
    fail(breaker, 4)
    assert breaker.state == "closed"


def test_a_block_counts_only_the_failures_it_names(breaker: Breaker) -> None:
    for _ in range(6):
        with pytest.raises(KeyError), breaker.attempt(OSError):
            raise KeyError
    for _ in range(5):
        with pytest.raises(OSError, match="down"), breaker.attempt(OSError):
            raise OSError("down")
    with pytest.raises(ServiceUnavailable) as refused, breaker.attempt(OSError):
        pytest.fail("nobody is let through")
    assert refused.value.headers["Retry-After"] == "30"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["ok", "bad", "wait", "silent"]), max_size=60))
def test_it_never_lets_two_through_while_open_and_always_one_after_the_wait(steps: list[str]) -> None:
    hand = Hand()
    breaker = Breaker("shop", failures=3, wait=10, now=hand)
    row = 0
    opened_at: float | None = None
    tried_at: float | None = None
    for step in steps:
        if step == "wait":
            hand.at += 5
            continue
        allowed = breaker.allows()
        last = tried_at if tried_at is not None else opened_at
        assert allowed == (last is None or hand.at - last >= 10)
        if not allowed:
            continue
        if opened_at is not None:
            tried_at = hand.at
        if step == "ok":
            breaker.succeeded()
            row, opened_at, tried_at = 0, None, None
        elif step == "bad":
            breaker.failed()
            row += 1
            if opened_at is not None or row >= 3:
                opened_at, tried_at = hand.at, None
