"""The context: what a request or a job knows of itself. Passed first, explicitly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from nexuscore.kernel import clock, metrics, sight
from nexuscore.kernel.access import SYSTEM, Actor
from nexuscore.kernel.db import Db, Scope
from nexuscore.kernel.events import Event
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.outbox import PendingFact, PendingJob, write

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.jobs import Job

R = TypeVar("R")
_log = get_logger(__name__)


@dataclass(slots=True)
class Ctx:
    """One request or job: its transaction, whose data it sees, who acts, and when."""

    app: "App"
    db: Db
    org: UUID | None = None
    actor: Actor = SYSTEM
    now: datetime = field(default_factory=clock.now)
    locale: str = "en"
    request_id: str = ""
    facts: list[PendingFact] = field(default_factory=list, repr=False)
    jobs: list[PendingJob] = field(default_factory=list, repr=False)

    def emit(self, event: Event) -> UUID:
        """Log a fact with this transaction; returns the id it will have. Listeners run after it."""
        id = uuid7()
        self.facts.append(
            PendingFact(
                id,
                self.now,
                self.org,
                self.actor.kind,
                self.actor.id,
                self.request_id,
                self.actor.ip,
                event,
            )
        )
        if any(listener.wants(event, self.org) for listener in self.app.listeners_of(type(event))):
            self.jobs.append(
                PendingJob(
                    "kernel.listen",
                    b'{"event_id":"%s","time":"%s"}' % (str(id).encode(), self.now.isoformat().encode()),
                    self.headers(),
                )
            )
        return id

    def enqueue(
        self,
        job: "Job",
        *,
        delay: timedelta = timedelta(),
        unique: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Queue a job with this transaction. With `unique`, at most one with that key waits or runs."""
        self.jobs.append(
            PendingJob(
                job.name,
                job.__pydantic_serializer__.to_json(job),
                self.headers(),
                job.priority if priority is None else priority,
                delay,
                None if unique is None else f"{job.name}:{self.org or '-'}:{unique}",
            )
        )

    def headers(self) -> dict[str, Any]:
        """What a job carries over, so that a worker gets the same context."""
        carried = {
            "org": self.org,
            "actor": [self.actor.kind, self.actor.id],
            "ip": self.actor.ip,
            "locale": self.locale,
            "request_id": self.request_id,
        }
        here = sight.tally()
        if here.traceparent:
            carried["traceparent"] = here.traceparent
        if here.tracestate:
            carried["tracestate"] = here.tracestate
        return carried

    @asynccontextmanager
    async def across_orgs(self, reason: str) -> AsyncIterator["Ctx"]:
        """See every organisation's rows inside the block. The reason is logged."""
        _log.info("across_orgs", reason=reason, request_id=self.request_id)
        async with self._within(Scope(across=True), None) as ctx:
            yield ctx

    @asynccontextmanager
    async def in_org(self, org: UUID) -> AsyncIterator["Ctx"]:
        """Act inside another organisation for the block; whoever calls has checked that it may."""
        async with self._within(Scope(org), org) as ctx:
            yield ctx

    @asynccontextmanager
    async def in_no_org(self) -> AsyncIterator["Ctx"]:
        """See only what belongs to no organisation inside the block."""
        async with self._within(Scope(), None) as ctx:
            yield ctx

    @asynccontextmanager
    async def _within(self, scope: Scope, org: UUID | None) -> AsyncIterator["Ctx"]:
        before = self.db.scope
        await self.db.enter(scope)
        inner = replace(self, org=org, facts=[], jobs=[])
        try:
            yield inner
            await inner.flush()
        except BaseException:
            await self.db.restore(before)
            raise
        await self.db.enter(before)

    async def flush(self) -> None:
        """Write the gathered facts and jobs. The kernel calls it before it commits."""
        if self.facts or self.jobs:
            facts, jobs = list(self.facts), list(self.jobs)
            self.facts.clear()
            for fact in facts:
                metrics.count_event(fact.event.type)
            self.jobs.clear()
            await write(self.db, facts, jobs)


@dataclass(slots=True)
class RowCtx(Ctx, Generic[R]):
    """A context whose permission loaded a row: the one the path names."""

    row: R = field(kw_only=True)
