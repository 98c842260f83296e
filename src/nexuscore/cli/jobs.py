"""`nexus jobs`: what the workers have to do, and what they gave up on."""

from typing import TYPE_CHECKING, Annotated

import typer

from nexuscore.cli import project
from nexuscore.cli.output import table
from nexuscore.kernel import clock, process, queue
from nexuscore.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

commands = typer.Typer(rich_markup_mode=None)
jobs = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
commands.add_typer(jobs, name="jobs")

Ids = Annotated[list[int], typer.Argument(help="The numbers that `nexus jobs parked` shows.", metavar="ID...")]


@jobs.callback()
def overview(ctx: typer.Context) -> None:
    """Show what the workers have to do, and when schedules run next."""
    if ctx.invoked_subcommand is None:
        project.run(_overview(project.load()))


@jobs.command()
def parked(
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 100,
) -> None:
    """List the jobs that failed their last try and wait for a person."""
    project.run(_parked(project.load(), limit))


@jobs.command()
def retry(ids: Ids) -> None:
    """Queue parked jobs again, with all their tries."""
    project.run(_settle(project.load(), ids, again=True))


@jobs.command()
def drop(ids: Ids) -> None:
    """Give parked jobs up for good."""
    project.run(_settle(project.load(), ids, again=False))


async def _overview(app: "App") -> None:
    async with process.opened(app, "nexus jobs"), app.database.transaction() as db:
        counts = {row.kind: row for row in await queue.counts(db)}
        last = await queue.last_due(db)
    kinds = sorted({*counts, *app.workers})
    states = ("due", "later", "running", "parked")
    table(
        ("kind", *states),
        [(kind, *(counts[kind][state] if kind in counts else 0 for state in states)) for kind in kinds],
    )
    typer.echo()
    now = clock.now()
    table(
        ("schedule", "cron (utc)", "last due", "next run"),
        [
            (each.name, each.cron, _moment(last.get(each.name)), _moment(each.following(now)))
            for each in app.schedules.values()
        ],
    )


def _moment(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "-"


async def _parked(app: "App", limit: int) -> None:
    async with process.opened(app, "nexus jobs"), app.database.transaction() as db:
        rows = await queue.parked(db, limit)
    if not rows:
        typer.echo("No job is parked.")
        return
    table(
        ("id", "kind", "tries", "since", "error"),
        [(row.id, row.kind, row.attempts + 1, _moment(row.updated), _error(row.error)) for row in rows],
    )


def _error(trace: dict[str, str] | None) -> str:
    if not trace:
        return "-"
    return f"{trace.get('exception_type')}: {' '.join(str(trace.get('exception_message')).split())}"


async def _settle(app: "App", ids: list[int], *, again: bool) -> None:
    async with process.opened(app, "nexus jobs"), app.database.transaction() as db:
        for id in ids:
            try:
                await (queue.retry if again else queue.drop)(db, id)
            except NotFoundError:
                raise NotFoundError(
                    f"No job {id} is parked, so nothing was done. `nexus jobs parked` lists them."
                ) from None
    typer.echo(f"{'Queued again' if again else 'Dropped'}: {', '.join(map(str, ids))}.")
