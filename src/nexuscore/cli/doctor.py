"""`nexus doctor`: is everything there that the app needs?"""

import typer

from nexuscore.cli import project
from nexuscore.kernel.doctor import Line, Report, check_python, examine
from nexuscore.kernel.errors import NexusError

commands = typer.Typer(rich_markup_mode=None)
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@commands.command()
def doctor() -> None:
    """Check that everything the app needs is there.

    One line a check: ok, warn or fail, with what to do. Exit code 1 when one of them fails.
    """
    report = Report(_print)
    check_python(report)
    try:
        app = project.load()
    except NexusError as error:
        report.say("fail", "app", str(error))
        raise typer.Exit(1) from None
    report.say("ok", "app", f"{project.reference()} of {', '.join(module.name for module in app.modules)}")
    project.run(examine(report, app))
    raise typer.Exit(1 if report.failed else 0)


def _print(line: Line) -> None:
    typer.echo(f"{typer.style(f'{line.state:5}', fg=COLOURS[line.state])} {line.name:14} {line.text}")
