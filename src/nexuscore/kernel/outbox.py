"""What a transaction says to others: its facts and its jobs, written in one round trip at its end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import to_json

from nexuscore.kernel.events import Event

if TYPE_CHECKING:
    from nexuscore.kernel.db import Db

_BATCH = 50  # rows of each kind in one statement: PostgreSQL takes 65,535 arguments, we need far fewer


@dataclass(frozen=True, slots=True)
class PendingFact:
    """An event about to be logged, with who did it and where."""

    id: UUID
    time: datetime
    org: UUID | None
    actor_kind: str
    actor_id: UUID | None
    request_id: str
    ip: str | None
    event: Event

    def arguments(self) -> tuple[Any, ...]:
        event = self.event
        subject = None if event.subject is None else str(getattr(event, event.subject))
        return (
            self.id,
            self.time,
            self.org,
            self.actor_kind,
            self.actor_id,
            event.type,
            event.version,
            subject,
            event.__pydantic_serializer__.to_json(event).decode(),
            self.request_id,
            self.ip,
        )


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job about to be queued. With `unique`, it is dropped while one with that key waits or runs."""

    kind: str
    payload: bytes
    headers: dict[str, Any]
    priority: int = 0
    delay: timedelta = timedelta()
    unique: str | None = None

    def arguments(self) -> tuple[Any, ...]:
        headers = to_json(self.headers).decode()
        return self.priority, self.kind, self.payload, self.delay, self.unique, headers


async def write(db: "Db", facts: list[PendingFact], jobs: list[PendingJob]) -> None:
    """Insert the facts and queue the jobs."""
    while facts or jobs:
        some_facts, facts = facts[:_BATCH], facts[_BATCH:]
        some_jobs, jobs = jobs[:_BATCH], jobs[_BATCH:]
        arguments = [a for fact in some_facts for a in fact.arguments()]
        arguments += [a for job in some_jobs for a in job.arguments()]
        await db.raw(_insert(len(some_facts), len(some_jobs)), *arguments)


@lru_cache(maxsize=128)
def _insert(facts: int, jobs: int) -> str:
    """One statement for so many facts and jobs. The queue's columns are PgQueuer 1.6's.

    What is text already goes as text: the driver's own coding of JSON and of addresses costs more than PostgreSQL's.
    """
    number = iter(range(1, facts * 11 + jobs * 6 + 1))

    def rows(count: int, *casts: str) -> str:
        row = (", ".join(f"${next(number)}::{cast}" for cast in casts) for _ in range(count))
        return ", ".join(f"({values})" for values in row)

    log = "INSERT INTO events (id, time, org_id, actor_kind, actor_id, type, version, subject,"
    log += " data, request_id, ip) VALUES " + rows(
        facts, "uuid", "timestamptz", "uuid", "text", "uuid", "text", "int8", "text", "text::jsonb",
        "text", "text::inet",
    )  # fmt: skip
    if not jobs:
        return log
    values = rows(jobs, "int4", "text", "bytea", "interval", "text", "text::jsonb")
    queue = (
        "INSERT INTO pgqueuer"
        " (priority, entrypoint, payload, execute_after, dedupe_key, headers, status)"
        " SELECT p, e, b, now() + d, k, h, 'queued'"
        f" FROM (VALUES {values}) AS v(p, e, b, d, k, h)"
        " ON CONFLICT (dedupe_key)"
        " WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING"
    )
    return f"WITH logged AS ({log}) {queue}" if facts else queue
