"""The `nexus` command. The files beside this one hold the commands; each is read when one of its own is asked for."""

import os
import sys
from asyncio import CancelledError
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from nexuscore import __version__
from nexuscore.cli import project
from nexuscore.kernel.errors import ConfigurationError, NexusError

COMMANDS = {  # name → the file it is in, and what `nexus --help` says of it
    "serve": ("serve", "Start everything: the database, the API and the workers."),
    "worker": ("serve", "Run workers alone, as many processes as are wanted."),
    "migrate": ("migrate", "Bring the database to its newest shape."),
    "new": ("new", "Write something new, ready to run."),
    "routes": ("show", "List the operations of the API, each with its permission."),
    "events": ("show", "List the events that modules announce."),
    "settings": ("show", "List every setting with its value, default, source and meaning."),
    "openapi": ("show", "Print the OpenAPI document, or compare it with an earlier one."),
    "jobs": ("jobs", "Show what the workers have to do, and when schedules run next."),
    "doctor": ("doctor", "Check that everything the app needs is there."),
    "seed": ("seed", "Put people and examples there; never in production."),
    "shell": ("shell", "Open psql on the app's database."),
}
EVERYWHERE = ("app", "data", "debug")  # options that may stand after the command too


class Commands(TyperGroup):
    """Our own commands, and those of the app's modules under the module's name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command `args` begin with, reading its file now."""
        name = args[0]
        if name in COMMANDS:
            with project.reading():
                file = import_module(f"nexuscore.cli.{COMMANDS[name][0]}")
            self.commands[name] = get_group(file.commands).commands[name]
            _take_options([self.commands[name]], [option for option in self.params if option.name in EVERYWHERE])
        elif not name.startswith("-"):
            self._ask_modules(ctx, name)
        return super().resolve_command(ctx, args)

    def _ask_modules(self, ctx: Any, name: str) -> None:
        try:
            app = project.load()
        except ConfigurationError as error:
            ctx.fail(f"There is no command {name!r}, and the app could not be asked for more: {error}")
        for module in app.modules:
            if module.commands is not None:
                module.commands.rich_markup_mode = None  # as plain as our own
                self.commands.setdefault(module.command, get_group(module.commands))
        ctx.obj = app


def _take_options(commands: Iterable[Any], options: list[Any]) -> None:
    for command in commands:
        command.params += options
        _take_options(getattr(command, "commands", {}).values(), options)


def _use_app(value: str | None) -> None:
    if value is not None:
        os.environ["NEXUS_APP"] = value


def _use_data(value: Path | None) -> None:
    if value is not None:
        os.environ["NEXUS_DATA"] = str(value)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nexus {__version__}")
        raise typer.Exit


root = typer.Typer(cls=Commands, name="nexus", no_args_is_help=True, rich_markup_mode=None)


@root.callback(epilog="Modules may add commands of their own: nexus MODULE --help. Everything: docs/commands.md.")
def options(
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            callback=_use_app,
            expose_value=False,
            help="The app to work with, as acme.main:app. Else NEXUS_APP, else [tool.nexus] in pyproject.toml.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(callback=_use_data, expose_value=False, help="The data folder. Else NEXUS_DATA.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", expose_value=False, help="Show where a fault came from, with its traceback.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, expose_value=False, help="Show the version."),
    ] = False,
) -> None:
    """Run and look after a NexusCore app."""


for _name, (_, _help) in COMMANDS.items():
    root.command(_name, help=_help)(lambda: None)


def main() -> None:
    """Run the command line; a fault is one sentence on standard error and exit code 1."""
    try:
        get_command(root)(prog_name="nexus")
    except CancelledError:
        sys.exit(130)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        sys.exit(f"nexus: {_told(error)}")


def _told(error: Exception) -> str:
    match error:
        case NexusError():
            return str(error)
        case OSError(strerror=str(reason), filename=str(file)):
            return f"{file}: {reason}."
        case _:
            return f"{type(error).__name__}: {error}. Run it again with --debug to see where this came from."
