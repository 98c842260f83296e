"""`nexus mail`: what was sent, what became of it, and a mail to see that mail works."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from nexuscore.kernel import process
from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NotFoundError, ValidationError
from nexuscore.modules.mail import delivery, outbox, service, suppressions
from nexuscore.modules.mail.outbox import Sent
from nexuscore.modules.mail.senders.chain import chain
from nexuscore.modules.mail.trial import Trial

commands = typer.Typer(
    help="Look at mail, and send one to see that it works.", no_args_is_help=True, rich_markup_mode=None
)

Address = Annotated[str, typer.Argument(help="An e-mail address.", metavar="ADDRESS")]
Id = Annotated[UUID, typer.Argument(help="The id that `nexus mail list` shows.", metavar="ID")]


@commands.command("list")
def list_mails(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 20,
) -> None:
    """List the newest mails with their state."""
    mails = asyncio.run(_list(ctx.obj, limit))
    for mail in mails:
        typer.echo(f"{mail.id}  {mail.at:%Y-%m-%d %H:%M}  {mail.state:10}  {mail.message:28}  {mail.to}")
    if not mails:
        typer.echo("No mail yet. Send one: nexus mail test ADDRESS")


@commands.command()
def show(
    ctx: typer.Context,
    mail_id: Id,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML alone.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Print the mail as it goes over the wire.")] = False,
) -> None:
    """Show one mail: how it fared, and what it says if the local outbox took it."""
    mail = asyncio.run(_show(ctx.obj, mail_id))
    typer.echo(mail.html if html else mail.source if source else _described(mail))


@commands.command("test")
def send_trial(
    ctx: typer.Context,
    address: Address,
    locale: Annotated[str, typer.Option(help="The language: en, he or pl.")] = "en",
) -> None:
    """Send a mail to ADDRESS now, and say what the sender answered."""
    mail = asyncio.run(_test(ctx.obj, address, locale))
    typer.echo(_described(mail))
    if mail.state != "sent":
        raise typer.Exit(1)


@commands.command()
def retry(ctx: typer.Context, mail_id: Id) -> None:
    """Queue a failed mail again, with all its tries."""
    asyncio.run(_retry(ctx.obj, mail_id))
    typer.echo(f"Queued again: {mail_id}.")


@commands.command()
def allow(ctx: typer.Context, address: Address) -> None:
    """Let mail to ADDRESS through again after a bounce or a complaint."""
    stopped = asyncio.run(_allow(ctx.obj, address))
    typer.echo(f"{address} gets mail again." if stopped else f"Mail to {address} was not stopped.")


async def _list(app: App, limit: int) -> list[Sent]:
    async with process.opened(app, "nexus mail"), app.context() as ctx:
        return await outbox.newest(ctx, limit)


async def _show(app: App, mail_id: UUID) -> Sent:
    async with process.opened(app, "nexus mail"):
        return await _one(app, mail_id)


async def _one(app: App, mail_id: UUID) -> Sent:
    async with app.context() as ctx:
        try:
            return await outbox.one(ctx, mail_id)
        except NotFoundError:
            raise NotFoundError(f"There is no mail {mail_id}. `nexus mail list` lists them.") from None


async def _test(app: App, address: str, locale: str) -> Sent:
    """The three steps of the job, one after the other, so that the answer can be shown."""
    async with process.opened(app, "nexus mail"):
        message = Trial(sender=chain(app)[0].name, link=app.kernel.public_url)
        async with app.context() as ctx:
            try:
                mail_id = await service.queue(ctx, message, to=address, locale=locale)
            except ValidationError:
                raise ValidationError(f"{address} is not an e-mail address.") from None
        if mail_id is None:
            raise RuntimeError("a mail without a key is always queued")
        async with app.context() as ctx:
            claimed = await delivery.claim(ctx, mail_id)
        if claimed is not None:
            attempt = await delivery.attempt(app, claimed)
            async with app.context() as ctx:
                await delivery.record(ctx, claimed, attempt)
        return await _one(app, mail_id)


async def _retry(app: App, mail_id: UUID) -> None:
    async with process.opened(app, "nexus mail"), app.context() as ctx:
        try:
            await service.retry(ctx, mail_id)
        except NotFoundError:
            raise NotFoundError(f"No mail {mail_id} has failed. `nexus mail list` lists them.") from None


async def _allow(app: App, address: str) -> bool:
    async with process.opened(app, "nexus mail"), app.context() as ctx:
        return await suppressions.allow(ctx, address)


def _described(mail: Sent) -> str:
    lines = [
        f"{mail.message} ({mail.locale}) to {mail.to}",
        f"State: {mail.state}" + (f", by {mail.sender}" if mail.sender else "") + f", tries: {mail.attempts}",
    ]
    if mail.error:
        lines.append(f"Error: {mail.error}")
    if mail.source:
        lines += ["", f"Subject: {mail.subject}", "", mail.text.rstrip()]
    return "\n".join(lines)
