"""`nexus audit`: hold the log against its seals, look into it, and see how long what is kept."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from nexuscore.kernel import process
from nexuscore.kernel.app import App
from nexuscore.kernel.paging import Page
from nexuscore.modules.audit import retention, seals, search
from nexuscore.modules.audit.findings import NAMED
from nexuscore.modules.audit.schemas import EventOut, EverywhereQuery, SealOut
from nexuscore.modules.audit.seals import Token
from nexuscore.modules.audit.verify import Verification

commands = typer.Typer(help="Verify the log, look into it, and see how long what is kept.", no_args_is_help=True)


@commands.command()
def verify(
    ctx: typer.Context,
    against: Annotated[
        str | None,
        typer.Option(metavar="SEAL", help="A seal kept elsewhere, as `nexus audit seal` printed it."),
    ] = None,
) -> None:
    """Hold the whole log, archived months too, against its seals.

    Names every event that was changed, removed or inserted; exit code 1 if there is one.
    """
    run, found = asyncio.run(_verify(ctx.obj, Token.parse(against) if against else None))
    typer.echo(
        f"{run.in_database:,} events in the database and {run.in_archive:,} in the archive are as they were sealed."
        f" Seals: {run.seals:,}."
    )
    if run.let_go:
        typer.echo(f"{run.let_go:,} are no longer in the archive.")
    if run.unsealed:
        typer.echo(f"{run.unsealed:,} are not sealed yet, the oldest of {run.unsealed_since:%Y-%m-%d %H:%M:%S}.")
    if run.newest is not None:
        typer.echo(f"Newest seal, to keep elsewhere: {run.newest}")
    typer.echo(f"Findings: {found:,}" if found else "Nothing was changed, removed or inserted.")
    if found:
        raise typer.Exit(1)


@commands.command()
def seal(ctx: typer.Context) -> None:
    """Print the newest seal, to keep where nobody here can change it."""
    typer.echo(asyncio.run(_seal(ctx.obj)).seal)


@commands.command("search")
def search_log(
    ctx: typer.Context,
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="A type, or a family such as 'invoice.*'.")],
    since: Annotated[datetime | None, typer.Option(help="At this moment (UTC) or later.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most, the newest first.")] = 20,
) -> None:
    """List the newest facts of a type, of all organisations."""
    moment = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
    query = EverywhereQuery(type=event_type, since=moment, limit=limit)
    for event in asyncio.run(_search(ctx.obj, query)):
        who = event.actor_kind if event.actor_id is None else f"{event.actor_kind} {event.actor_id}"
        typer.echo(f"{event.time:%Y-%m-%d %H:%M:%S}  {event.type:28}  {event.subject or '-':36}  {who}")


@commands.command("retention")
def show_retention(ctx: typer.Context) -> None:
    """List every type of event with the days it is kept at least."""
    for name in sorted(ctx.obj.event_types):
        typer.echo(f"{name:40} {retention.days_of(ctx.obj, name):7,} days")


async def _verify(app: App, against: Token | None) -> tuple[Verification, int]:
    run, found = Verification(app, against), 0
    async with process.opened(app, "nexus audit"):
        async for finding in run.findings():
            found += 1
            if found <= NAMED:
                typer.echo(str(finding))
    if found > NAMED:
        typer.echo(f"and {found - NAMED:,} more")
    return run, found


async def _seal(app: App) -> SealOut:
    async with process.opened(app, "nexus audit"), app.context() as ctx:
        return await seals.shown(ctx)


async def _search(app: App, query: EverywhereQuery) -> list[EventOut]:
    """Goes on until there are enough, or the log is at its end."""
    events: list[EventOut] = []
    async with process.opened(app, "nexus audit"):
        while True:
            async with app.context() as ctx:
                page = Page[EventOut].model_validate_json(await search.page_everywhere(ctx, query))
            events += page.data
            if len(events) >= query.limit or not page.page.has_next:
                return events[: query.limit]
            query = query.model_copy(update={"cursor": page.page.next_cursor})
