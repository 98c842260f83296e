"""Work for later: queued in the caller's transaction, run by a worker with the caller's context.

    class SendDigest(Job, name="notes.send_digest", retries=3):
        note_id: UUID

    @worker(SendDigest)
    async def send_digest(ctx: Ctx, job: SendDigest) -> None: ...

A job's effect and its completion commit together, so a killed worker's job runs again from the
start and never twice to the end. Work that calls out uses `outcall`: claim, call, record.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types
from pydantic import BaseModel, ConfigDict

from nexuscore.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.ctx import Ctx


_OURS = {"name", "retries", "priority", "timeout"}


class Job(BaseModel):
    """The typed arguments of one kind of job. `retries` more tries follow a failed first one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = ""
    retries: ClassVar[int] = 5
    priority: ClassVar[int] = 0
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    def __init_subclass__(cls, **_: Any) -> None:
        """The keywords are for `__pydantic_init_subclass__`, which runs once the fields are known."""
        super().__init_subclass__()
        if taken := _OURS & inspect.get_annotations(cls).keys():
            raise ConfigurationError(
                f"{cls.__name__} cannot have a field {min(taken)!r}: that says what kind of job it is"
            )

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        name: str = "",
        retries: int = 5,
        priority: int = 0,
        timeout: timedelta = timedelta(minutes=5),
        **rest: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**rest)
        if "." not in name:
            raise ConfigurationError(f"{cls.__name__} needs a name such as 'notes.send_digest'")
        cls.name, cls.retries, cls.priority, cls.timeout = name, retries, priority, timeout


J = TypeVar("J", bound=Job)
C = TypeVar("C")
A = TypeVar("A")
Run = Callable[["Ctx", J], Awaitable[None]]


class Retry(Exception):
    """Raised by a worker that wants its job again after `delay`, within the usual number of tries."""

    def __init__(self, delay: timedelta, reason: str = "") -> None:
        super().__init__(reason or f"asked to run again in {delay}")
        self.delay = delay


@dataclass(frozen=True, slots=True)
class Worker:
    """How one kind of job is done. `concurrency` bounds it over all workers; 0 is no bound."""

    job: type[Job]
    run: Callable[["Ctx", Any], Awaitable[None]]
    concurrency: int = 0

    async def __call__(self, ctx: "Ctx", job: Any) -> None:
        await self.run(ctx, job)


def worker(job: type[J], *, concurrency: int = 0) -> Callable[[Run[J]], Worker]:
    """Do `job` with this function, in one transaction that the kernel commits."""

    def register(run: Run[J]) -> Worker:
        return Worker(job, run, concurrency)

    return register


class Outcall(Generic[J, C, A]):
    """A worker that calls out, so that no transaction waits for somebody else's server.

    The decorated function claims: it reads and marks what is needed, and returns it, or None when
    there is nothing to do. `call` runs with no transaction open. `record` writes down the answer,
    together with the job's completion. A kill in between runs the job again, so the other side may
    hear twice: send it a key it can recognise.
    """

    def __init__(self, job: type[J], claim: Callable[["Ctx", J], Awaitable[C | None]], concurrency: int):
        self.job = job
        self.claim = claim
        self.concurrency = concurrency
        self.called: Callable[[App, C], Awaitable[A]] | None = None
        self.recorded: Callable[[Ctx, C, A], Awaitable[None]] | None = None

    def call(self, run: Callable[["App", C], Awaitable[A]]) -> Callable[["App", C], Awaitable[A]]:
        """The call itself."""
        self.called = run
        return run

    def record(self, run: Callable[["Ctx", C, A], Awaitable[None]]) -> Callable[["Ctx", C, A], Awaitable[None]]:
        """What to write down afterwards."""
        self.recorded = run
        return run


def outcall(
    job: type[J], *, concurrency: int = 0
) -> Callable[[Callable[["Ctx", J], Awaitable[C | None]]], "Outcall[J, C, Any]"]:
    """Do `job` in three steps: this function claims, then `.call`, then `.record`."""

    def register(claim: Callable[["Ctx", J], Awaitable[C | None]]) -> "Outcall[J, C, Any]":
        return Outcall(job, claim, concurrency)

    return register


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function run by the clock, once however many workers there are."""

    cron: str
    run: Callable[["Ctx"], Awaitable[None]]
    name: str

    async def __call__(self, ctx: "Ctx") -> None:
        await self.run(ctx)

    def due(self, now: datetime) -> datetime:
        """The last moment at or before `now` at which it was to run."""
        found: datetime = croniter(self.cron, now + timedelta(microseconds=1)).get_prev(datetime)
        return found

    def following(self, now: datetime) -> datetime:
        """The next moment after `now`."""
        found: datetime = croniter(self.cron, now).get_next(datetime)
        return found


def every(cron: str) -> Callable[[Callable[["Ctx"], Awaitable[None]]], Schedule]:
    """Run this function by a five-field cron expression, in UTC, with no organisation in scope."""
    if not croniter.is_valid(cron):
        raise ConfigurationError(f"{cron!r} is not a cron expression such as '0 3 * * *'")

    def register(run: Callable[["Ctx"], Awaitable[None]]) -> Schedule:
        return Schedule(cron, run, f"{run.__module__}.{run.__qualname__}")

    return register


def backoff(attempt: int, *, base: float = 2.0, ceiling: float = 600.0) -> timedelta:
    """How long to wait before try `attempt` + 2: exponential, with full jitter."""
    return timedelta(seconds=uniform(0.1, min(ceiling, base * 2**attempt)))  # noqa: S311 - jitter is no secret


@dataclass(frozen=True, slots=True)
class Leased:
    """A job of the queue while a worker holds it."""

    id: int
    kind: str
    payload: bytes
    headers: dict[str, Any]
    attempts: int
    holder: UUID


def is_last(leased: Leased, job: type[Job]) -> bool:
    """Whether no further try follows this one."""
    return leased.attempts >= job.retries
