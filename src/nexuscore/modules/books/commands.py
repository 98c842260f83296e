"""`nexus billing`: hold everything that keeps money against the journal, and show its accounts."""

import asyncio
from collections.abc import Sequence

import typer

from nexuscore.kernel import process
from nexuscore.kernel.app import App
from nexuscore.kernel.money import Money
from nexuscore.modules.books import checks, reports
from nexuscore.modules.books.checks import Check, Finding
from nexuscore.modules.books.schemas import AccountTotals

commands = typer.Typer(
    name="billing", help="Verify everything that keeps money, and read the books.", no_args_is_help=True
)
NAMED = 50


@commands.command()
def verify(ctx: typer.Context) -> None:
    """Hold invoices, payments and the rest against the journal.

    Names everything that does not add up; exit code 1 if there is anything.
    """
    count = 0
    for check, findings in asyncio.run(_verify(ctx.obj)):
        typer.echo(f"{'ok' if not findings else f'{len(findings):,} wrong':10}  {check.name}")
        for finding in findings[:NAMED]:
            typer.echo(f"            {finding.subject}: {finding.what}")
        if len(findings) > NAMED:
            typer.echo(f"            and {len(findings) - NAMED:,} more")
        count += len(findings)
    typer.echo(f"Findings: {count:,}" if count else "Everything adds up.")
    if count:
        raise typer.Exit(1)


@commands.command("accounts")
def show_accounts(ctx: typer.Context) -> None:
    """List every account that moved, over all organisations."""
    for row in asyncio.run(_accounts(ctx.obj)):
        amounts = (Money(amount, row.currency).format("en") for amount in (row.debit, row.credit, row.balance))
        typer.echo("  ".join([f"{row.account:20}", *(f"{amount:>18}" for amount in amounts)]))


async def _verify(app: App) -> list[tuple[Check, Sequence[Finding]]]:
    async with process.opened(app, "nexus billing"):
        return await checks.verify(app)


async def _accounts(app: App) -> list[AccountTotals]:
    async with process.opened(app, "nexus billing"), app.context(across=True) as ctx:
        return await reports.report(ctx)
