"""A module without tables, for tests about facts and jobs: what happens is told by events."""

import asyncio
from datetime import timedelta
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event, Fact, on
from nexuscore.kernel.jobs import Job, Retry, every, outcall, worker
from nexuscore.kernel.module import Module


class Rang(Event, type="bell.rang", version=2, subject="bell"):
    """A bell rang, so many times."""

    bell: str
    times: int = 1

    @classmethod
    def upgrade(cls, data: dict[str, object], version: int) -> dict[str, object]:
        return {**data, "times": 1} if version < 2 else data


class Heard(Event, type="bell.heard"):
    """A listener took a ring in."""

    who: str
    bell: str


class Done(Event, type="chore.done"):
    """A worker did a chore."""

    what: str
    actor: UUID | None
    locale: str
    request_id: str


class Sweep(Job, name="chores.sweep", retries=2):
    """A chore. 'fail' always fails, 'later' asks to run again, 'slow' takes its time."""

    what: str


class Hang(Job, name="chores.hang", retries=0, timeout=timedelta(milliseconds=200)):
    """A chore that never ends by itself."""


class Single(Job, name="chores.single"):
    """One at a time, wherever the workers are."""

    number: int


class Post(Job, name="chores.post", retries=1):
    """A chore that calls out."""

    letter: str


calls: list[str] = []
open_transactions: list[int] = []
running: dict[str, int] = {"now": 0, "most": 0}


@on(Rang)
async def first_ear(ctx: Ctx, fact: Fact[Rang]) -> None:
    ctx.emit(Heard(who="first", bell=fact.data.bell))


@on(Rang)
async def second_ear(ctx: Ctx, fact: Fact[Rang]) -> None:
    ctx.emit(Heard(who="second", bell=fact.data.bell))
    if fact.data.bell == "cracked" and calls.count("cracked") < 2:
        calls.append("cracked")
        raise RuntimeError("the second ear hurts")


@worker(Sweep)
async def sweep(ctx: Ctx, job: Sweep) -> None:
    calls.append(job.what)
    if job.what == "slow":
        await asyncio.sleep(1)
    ctx.emit(Done(what=job.what, actor=ctx.actor.id, locale=ctx.locale, request_id=ctx.request_id))
    if job.what == "fail":
        raise RuntimeError("it always does")
    if job.what == "later" and calls.count("later") < 2:
        raise Retry(timedelta(0), "not yet")


@worker(Hang)
async def hang(ctx: Ctx, job: Hang) -> None:
    await asyncio.sleep(60)


@worker(Single, concurrency=1)
async def single(ctx: Ctx, job: Single) -> None:
    running["now"] += 1
    running["most"] = max(running["most"], running["now"])
    await asyncio.sleep(0.05)
    running["now"] -= 1
    ctx.emit(Done(what=str(job.number), actor=None, locale="", request_id=""))


@outcall(Post)
async def post(ctx: Ctx, job: Post) -> str | None:
    return None if job.letter == "empty" else job.letter


@post.call
async def carry(app: App, letter: str) -> str:
    if letter == "count":
        open_transactions.append(app.database.pool.get_size() - app.database.pool.get_idle_size())
    calls.append(f"carried {letter}")
    if letter == "lost":
        raise ConnectionError("the road is closed")
    return "signed"


@post.record
async def file(ctx: Ctx, letter: str, answer: str) -> None:
    ctx.emit(Done(what=f"{letter} {answer}", actor=ctx.actor.id, locale=ctx.locale, request_id=ctx.request_id))


@every("*/5 * * * *")
async def chime(ctx: Ctx) -> None:
    ctx.emit(Rang(bell="clock"))


module = Module(
    name="chores",
    package=None,
    events=(Rang, Heard, Done),
    listeners=(first_ear, second_ear),
    workers=(sweep, hang, single, post),
    schedules=(chime,),
)
