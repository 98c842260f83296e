"""`nexus identity`: what only the machine's owner may do."""

import asyncio

import typer

from nexuscore.kernel import process
from nexuscore.kernel.app import App
from nexuscore.modules.identity import bootstrap

commands = typer.Typer(help="Look after people's accounts.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Keep `bootstrap` a command of its own while it is the only one."""


@commands.command("bootstrap")
def print_link(ctx: typer.Context) -> None:
    """Print a link that makes one admin, even if there is or was one. It works once, for half an hour."""
    typer.echo(asyncio.run(_link(ctx.obj)))


async def _link(app: App) -> str:
    async with process.opened(app, "nexus identity"), app.context() as ctx:
        return await bootstrap.new_link(ctx)
