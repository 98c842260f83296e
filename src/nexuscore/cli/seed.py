"""`nexus seed`: a house that is lived in, for whoever develops."""

import typer

from nexuscore.cli import project
from nexuscore.kernel import process, seeds
from nexuscore.kernel.app import App

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def seed() -> None:
    """Put people and examples there; never in production.

    Run twice it adds what is missing. Migrations must have run: `nexus serve` and `nexus migrate` run them.
    """
    for line in project.run(_sow(project.load())):
        typer.echo(line)


async def _sow(app: App) -> list[str]:
    async with process.opened(app, "nexus seed"), app.context() as ctx:
        return (await seeds.sow(ctx)).said
