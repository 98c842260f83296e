"""`nexus identity`: what only the machine's owner may do."""

import asyncio

import typer

from nexuscore.kernel import process
from nexuscore.kernel.app import App
from nexuscore.modules.identity import bootstrap, texts

commands = typer.Typer(help="Look after people's accounts.", no_args_is_help=True)


@commands.command("bootstrap")
def print_link(ctx: typer.Context) -> None:
    """Print a link that makes one admin, even if there is or was one. It works once, for half an hour."""
    typer.echo(asyncio.run(_link(ctx.obj)))


async def _link(app: App) -> str:
    async with process.opened(app, "nexus identity"), app.context() as ctx:
        return await bootstrap.new_link(ctx)


@commands.command("texts")
def list_texts(ctx: typer.Context) -> None:
    """List the text messages that were kept here because nobody sends any: the last day's, the newest last."""
    kept = asyncio.run(_texts(ctx.obj))
    for number, text in kept:
        typer.echo(f"{number}  {text}")
    if not kept:
        typer.echo("No text message was kept.")


async def _texts(app: App) -> list[tuple[str, str]]:
    async with process.opened(app, "nexus identity"), app.context() as ctx:
        return [(number, text) for _, number, text in await texts.kept(ctx)]
