"""`nexus serve` and `nexus worker`."""

import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexuscore import __version__
from nexuscore.cli import project
from nexuscore.cli.processes import Line, serve_many
from nexuscore.cli.reload import serve_reloading
from nexuscore.kernel import log, process
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http.auth import DevelopmentToken, development_token
from nexuscore.kernel.http.pages import CONSOLE, Frame
from nexuscore.kernel.logfiles import LogFolder
from nexuscore.kernel.settings import KernelSettings, load

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

commands = typer.Typer(rich_markup_mode=None)
_log = log.get_logger(__name__)


@commands.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. Else NEXUS_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one. Else NEXUS_PORT.")
    ] = None,
    workers: Annotated[bool, typer.Option("--workers/--no-workers", help="Run jobs and schedules in here too.")] = True,
    migrated: Annotated[
        bool, typer.Option("--migrate/--no-migrate", help="Bring the database to its newest shape first.")
    ] = True,
    processes: Annotated[
        int, typer.Option(min=1, help="How many servers share the socket; more than one need Redis.")
    ] = 1,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again when a .py, .html or .po file changes. For development.")
    ] = False,
    inherited: Annotated[int | None, typer.Option("--inherited", hidden=True)] = None,
    line: Annotated[int | None, typer.Option("--line", hidden=True)] = None,
    again: Annotated[bool, typer.Option("--again", hidden=True)] = False,
) -> None:
    """Start everything: the database, the API and the workers.

    Without DATABASE_URL it starts a PostgreSQL of its own in the data folder, and stops it at the end.
    Ctrl-C or SIGTERM finishes running requests and jobs first; a second one does not wait for them.
    With --processes, a server that ends is started again, and SIGHUP replaces one after the other.
    """
    if reload:
        _reload(host, port, [*([] if workers else ["--no-workers"]), *([] if migrated else ["--no-migrate"])])
        return
    app = project.load()
    write_logs(app.kernel)
    for warning in app.settings.warnings:
        _log.warning("setting_unknown", setting=warning)
    listener = _listener(app.kernel, host, port) if inherited is None else socket.socket(fileno=inherited)
    if "public_url" not in app.kernel.model_fields_set:
        app.kernel = app.kernel.model_copy(update={"public_url": _address(listener)})
    if processes > 1:
        _serve_many(app, listener, processes, workers=workers, migrated=migrated)
        return
    ready = partial(_greet, app, listener, again=again)
    if line is None:
        project.run(process.serve(app, listener, workers=workers, migrated=migrated, ready=ready), fast=True)
        return
    parent = Line(line)
    served = process.serve(app, listener, workers=workers, migrated=False, ready=parent.say_ready)
    project.run(parent.while_it_lives(served), fast=True)


def _serve_many(app: "App", listener: socket.socket, count: int, *, workers: bool, migrated: bool) -> None:
    options = ["--no-migrate", *([] if workers else ["--no-workers"])]
    ready = partial(_greet, app, listener, [], again=False)
    with listener:
        project.run(serve_many(app, listener, count, options, migrated=migrated, ready=ready))


@commands.command()
def worker() -> None:
    """Run workers alone, as many processes as are wanted.

    Jobs and schedules are shared between all of them and the server. Ctrl-C or SIGTERM finishes running jobs first.
    """
    app = project.load()
    write_logs(app.kernel)
    project.run(process.work(app), fast=True)


def write_logs(settings: KernelSettings) -> None:
    """Send the log where and how the settings say."""
    folder = None
    if settings.log_folder is not None:
        days, most = settings.log_archive_days, settings.log_keep_days
        folder = LogFolder(settings.log_folder, archive_days=days, keep_days=most)
    log.configure(level=settings.log_level, format="json" if _is_json(settings) else "text", folder=folder)


def _is_json(settings: KernelSettings) -> bool:
    if settings.log_format == "auto":
        return settings.env == "production"
    return settings.log_format == "json"


def _listener(settings: KernelSettings, host: str | None, port: int | None) -> socket.socket:
    return process.listen(settings.host if host is None else host, settings.port if port is None else port)


def _reload(host: str | None, port: int | None, options: list[str]) -> None:
    settings = load([KernelSettings])[KernelSettings]
    if settings.env == "production":
        raise ConfigurationError("--reload is for development; NEXUS_ENV is production.")
    write_logs(settings)
    with _listener(settings, host, port) as listener:
        project.run(serve_reloading(settings, listener, options))


def _greet(app: "App", listener: socket.socket, greetings: list[str], *, again: bool) -> None:
    """Say where we are: a person reads the greeting, a machine the line in the log."""
    address = _address(listener)
    if again or _is_json(app.kernel):
        _log.info("ready", address=address)
        typer.echo("".join(f"{line}\n" for line in greetings if not again), nl=False)
        return
    lines = {"address": address, "docs": f"{address}/api/docs"}
    if app.fillers(Frame):  # type: ignore[type-abstract]  # asked for, not made
        lines["console"] = f"{address}{CONSOLE}"
    lines["data"] = str(Path(app.kernel.data).resolve())
    if isinstance(app.authenticator, DevelopmentToken) and app.kernel.env != "production":
        lines["token"] = f"{development_token(app)}   (for development: a bearer token that may do everything)"
    named = "" if app.kernel.title == "NexusCore" else f"{app.kernel.title} on "
    typer.echo(f"\n{named}NexusCore {__version__}, {app.kernel.env}. Ctrl-C stops it.")
    typer.echo("".join(f"  {name:8} {value}\n" for name, value in lines.items()))
    typer.echo("".join(f"  {line}\n" for line in greetings))
    sys.stdout.flush()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown, not bound
    return f"http://{shown}:{port}"
