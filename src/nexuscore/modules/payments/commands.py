"""`nexus payments`: hold our payments against the provider's."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from nexuscore.kernel import clock, process
from nexuscore.kernel.app import App
from nexuscore.modules.payments import reconcile
from nexuscore.modules.payments.reconcile import Reconcile
from nexuscore.modules.payments.settings import PaymentSettings
from nexuscore.modules.payments.tables import Reconciliation

commands = typer.Typer(name="payments", help="Hold our payments against the provider's.", no_args_is_help=True)

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, in UTC; it is included.")]


@commands.callback()
def payments() -> None:
    """Keep `reconcile` a command of its own, although it is the only one."""


@commands.command("reconcile")
def reconcile_period(ctx: typer.Context, since: Day = None, until: Day = None) -> None:
    """Compare payments, refunds and disputes of a period with the provider's.

    Without a period, the last days. What differs is a finding; exit code 1 if there is any.
    """
    row = asyncio.run(_reconcile(ctx.obj, since, until))
    typer.echo(f"{row.compared} compared with {row.provider}, {row.differing} differ")
    if row.differing:
        typer.echo("See them at /api/v1/payments/findings.")
        raise typer.Exit(1)


async def _reconcile(app: App, since: datetime | None, until: datetime | None) -> Reconciliation:
    days = timedelta(days=app.settings[PaymentSettings].reconcile_days)
    end = until.replace(tzinfo=UTC) + timedelta(days=1) if until else clock.now()
    begin = since.replace(tzinfo=UTC) if since else end - days
    async with process.opened(app, "nexus payments"):
        sheet = await reconcile.fetch(app, Reconcile(since=begin, until=end))
        async with app.context() as ctx:
            return await reconcile.compare(ctx, sheet)
