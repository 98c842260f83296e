"""`nexus migrate`: the shape of the database."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexuscore.cli import project
from nexuscore.cli.output import table
from nexuscore.kernel import migrate as kernel_migrate, process
from nexuscore.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

commands = typer.Typer(rich_markup_mode=None)
migrate = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
commands.add_typer(migrate, name="migrate")


@migrate.callback()
def up(ctx: typer.Context) -> None:
    """Bring the database to its newest shape.

    Modules go in the order they need each other. Run twice it does nothing; several at once wait for each other.
    """
    if ctx.invoked_subcommand is None:
        project.run(_up(project.load()))


@migrate.command()
def status() -> None:
    """Show where each module stands, and what is still to be run."""
    project.run(_status(project.load()))


@migrate.command()
def down(
    module: Annotated[str, typer.Argument(help="The module to take back.")],
    to: Annotated[str, typer.Option(help="The revision to stop at, as 2 or notes_0002; base undoes all.")] = "base",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take one module's tables back to an earlier shape. What stands in dropped tables and columns is lost."""
    if not yes:
        typer.confirm(f"Take {module} back to {to}, and lose what the dropped tables and columns hold?", abort=True)
    project.run(_down(project.load(), module, to))


@migrate.command()
def check() -> None:
    """Compare the models with the database. Exit code 1 when they differ or a tenant's table is open."""
    project.run(_check(project.load()))


@migrate.command()
def make(
    module: Annotated[str, typer.Argument(help="The module whose models changed.")],
    message: Annotated[str, typer.Argument(help="What changes, in a few words.")],
    empty: Annotated[bool, typer.Option("--empty", help="Write an empty one, to move data by hand.")] = False,
) -> None:
    """Write the migration that the models of a module ask for. Read it before you run it."""
    project.run(_make(project.load(), module, message, empty=empty))


async def _up(app: "App") -> None:
    async with process.database(app.kernel, "nexus migrate") as urls:
        ran = await kernel_migrate.upgrade(app, urls.owner)
    for revision in ran:
        typer.echo(f"ran {revision}")
    if not ran:
        typer.echo("Nothing to run: the database has its newest shape.")


async def _status(app: "App") -> None:
    async with process.database(app.kernel, "nexus migrate status") as urls:
        states = await kernel_migrate.status(app, urls.owner)
    table(
        ("module", "now", "newest", "to run"),
        [(each.module, each.current or "-", each.head, ", ".join(each.pending) or "-") for each in states],
    )


async def _down(app: "App", module: str, to: str) -> None:
    async with process.database(app.kernel, "nexus migrate down") as urls:
        undone = await kernel_migrate.downgrade(app, urls.owner, module, to)
    for revision in undone:
        typer.echo(f"undid {revision}")
    if not undone:
        typer.echo(f"Nothing to undo: {module} is not past {to}.")


async def _check(app: "App") -> None:
    async with process.database(app.kernel, "nexus migrate check") as urls:
        states = await kernel_migrate.status(app, urls.owner)
        pending = [name for each in states for name in each.pending]
        if pending:
            raise ConfigurationError(f"The database lacks migrations: {', '.join(pending)}. Run `nexus migrate`.")
        found = await kernel_migrate.differences(app, urls.owner)
    for each in found:
        typer.echo(each)
    if found:
        raise ConfigurationError(
            f"Models and database differ in {len(found)} places, listed above as what the database lacks. "
            'Run `nexus migrate make MODULE "what changed"`.'
        )
    typer.echo("Models and database agree, and every tenant's table is closed.")


async def _make(app: "App", module: str, message: str, *, empty: bool) -> None:
    async with process.database(app.kernel, "nexus migrate make") as urls:
        path = await kernel_migrate.make(app, urls.owner, module, message, empty=empty)
    _format(path)
    typer.echo(f"Wrote {path}. Read it, then run `nexus migrate`.")


def _format(path: Path) -> None:
    """Lay it out as the project does, if the project has ruff."""
    ruff = shutil.which("ruff", path=os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", ""))))
    for step in (["check", "--fix", "--select", "I,F401"], ["format"]) if ruff else []:
        subprocess.run([str(ruff), *step, "--quiet", str(path)], check=False)
