"""A circuit breaker: what fails again and again is left alone for a while, so that nobody waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Literal

from nexuscore.kernel import metrics
from nexuscore.kernel.errors import ServiceUnavailable
from nexuscore.kernel.log import get_logger

_log = get_logger(__name__)


class Breaker:
    """Opens after `failures` in a row; after `wait` seconds one probe at a time may try, and `probes` of them close it.

    Ask `allows`, then tell `succeeded` or `failed`; or put the call inside `with breaker.attempt(SomeError):`.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        wait: float = 30.0,
        probes: int = 1,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self._most, self._wait, self._probes, self._now = failures, wait, probes, now
        self._failures = 0
        self._successes = 0
        self._open_until: float | None = None
        self._probing = False
        metrics.show_circuit(name, is_open=False)

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """Whether calls go through, none do, or the next one is a probe."""
        if self._open_until is None:
            return "closed"
        return "half-open" if self._probing or self._now() >= self._open_until else "open"

    def allows(self) -> bool:
        """Whether a call may be tried now. A probe that is never heard of again does not keep the next one away."""
        if self._open_until is None:
            return True
        now = self._now()
        if now < self._open_until:
            return False
        self._open_until = now + self._wait
        self._probing = True
        return True

    def probe_now(self) -> None:
        """Let the next call through as a probe, whenever that would be."""
        if self._open_until is not None:
            self._open_until = self._now()

    def succeeded(self) -> None:
        """The call was answered. One that began before the circuit opened does not close it."""
        self._failures = 0
        if self._open_until is None or not self._probing:
            return
        self._probing = False
        self._successes += 1
        if self._successes < self._probes:
            self._open_until = self._now()
            return
        self._open_until = None
        metrics.show_circuit(self.name, is_open=False)
        _log.info("circuit_closed", circuit=self.name)

    def failed(self, error: object = None) -> None:
        """The call failed for a reason that is not the caller's."""
        self._failures += 1
        was_closed = self._open_until is None
        if not self._probing and (self._failures < self._most or not was_closed):
            return
        self._probing = False
        self._successes = 0
        self._open_until = self._now() + self._wait
        if was_closed:
            metrics.show_circuit(self.name, is_open=True)
            _log.warning("circuit_opened", circuit=self.name, failures=self._failures, error=str(error or ""))

    def retry_in(self) -> float:
        """Seconds until a probe may try."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._now())

    @contextmanager
    def attempt(self, *failures: type[Exception]) -> Iterator[None]:
        """A call, in a block: these errors count against it, any other end counts for it. 503 while it is open."""
        if not self.allows():
            raise ServiceUnavailable(retry_after=self.retry_in())
        try:
            yield
        except failures as error:
            self.failed(error)
            raise
        except Exception:
            self.succeeded()
            raise
        self.succeeded()
