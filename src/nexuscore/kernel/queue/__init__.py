"""The queue behind jobs: PgQueuer's tables and dispatcher, with our rules on top.

A worker holds a job by its manager id. Completion, retry and parking only count while it still
does, so a worker that was believed dead cannot undo what its successor did.
"""

from nexuscore.kernel.queue.backlog import counts, drop, lag, parked, retry
from nexuscore.kernel.queue.lease import LeaseLost, Listen, carried, work
from nexuscore.kernel.queue.schedules import Tick, Ticked, last_due, remember_schedules, run_tick, tick
from nexuscore.kernel.queue.workers import drain, run_workers

__all__ = [
    "LeaseLost",
    "Listen",
    "Tick",
    "Ticked",
    "carried",
    "counts",
    "drain",
    "drop",
    "lag",
    "last_due",
    "parked",
    "remember_schedules",
    "retry",
    "run_tick",
    "run_workers",
    "tick",
    "work",
]
