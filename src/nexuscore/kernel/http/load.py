"""Too much at once: a bound on what a process works on, and who goes without first.

Nothing waits in a queue. A request either has a place at once or is told to come back, before it costs anything.
"""

from random import uniform
from time import monotonic
from typing import Literal

from nexuscore.kernel import metrics
from nexuscore.kernel.errors import ServiceUnavailable
from nexuscore.kernel.log import get_logger

Priority = Literal["critical", "normal", "low"]
SHARES: dict[Priority, float] = {"critical": 2.0, "normal": 1.0, "low": 0.5}
SAY_EVERY = 10.0
_log = get_logger(__name__)


class Overloaded(ServiceUnavailable):
    """The process has as much to do as it can, and this is less important than the rest."""

    code = "overloaded"
    message = "There is too much to do at the moment. Please try again in a few seconds."


class Load:
    """The places of one process. The low may fill half of them; the critical still find some when all are taken."""

    def __init__(self, most: int) -> None:
        self.taken = 0
        self._most = {priority: max(1, int(most * share)) for priority, share in SHARES.items()}
        self._shed = 0
        self._said_at = -SAY_EVERY

    def enter(self, priority: Priority) -> None:
        """Take a place; whoever does calls `leave`. `Overloaded` when there is none for this priority."""
        if self.taken >= self._most[priority]:
            self._note(priority)
            raise Overloaded(retry_after=uniform(1, 5))  # noqa: S311 - only so that they do not all come back at once
        self.taken += 1

    def leave(self) -> None:
        """Give the place back."""
        self.taken -= 1

    def _note(self, priority: Priority) -> None:
        """Count it; one line in the log for many."""
        metrics.count_shed(priority)
        self._shed += 1
        now = monotonic()
        if now - self._said_at >= SAY_EVERY:
            _log.warning("shedding_load", shed=self._shed, in_flight=self.taken)
            self._said_at, self._shed = now, 0
