"""Magic links: a mailed link that signs in, once. The second factor is asked for as ever."""

from datetime import timedelta

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.jobs import Job, worker
from nexuscore.modules.identity import mails, single_use
from nexuscore.modules.identity.counters import Counter
from nexuscore.modules.identity.directory import user as one_user, user_by_email
from nexuscore.modules.identity.emails import mailbox, normalise_email
from nexuscore.modules.identity.exchanges import begin, guard
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.sign_in import SignInStep, proceed
from nexuscore.modules.identity.single_use import MAGIC_LINK, owner_of


class SendMagicLink(Job, name="identity.send_magic_link"):
    """Mail a link that signs in, if there is an account to sign in to."""

    email: str


async def ask(exchange: Exchange, email: str) -> None:
    """Ask for a link. Whether there is an account only the mailbox's owner learns."""
    settings = exchange.app.settings[IdentitySettings]
    address = normalise_email(email)
    await guard(exchange, Counter("mail", mailbox(address), settings.mails_per_hour, timedelta(hours=1)))
    async with begin(exchange) as ctx:
        ctx.enqueue(SendMagicLink(email=address))


@worker(SendMagicLink)
async def send_magic_link(ctx: Ctx, job: SendMagicLink) -> None:
    """Mail the link; nothing to somebody without an account, or with one that is not active."""
    user = await user_by_email(ctx, job.email)
    if user is None or user.state != "active" or user.email_verified_at is None:
        return
    minutes = ctx.app.settings[IdentitySettings].magic_link_minutes
    secret = await single_use.issue(ctx, MAGIC_LINK, user.id, timedelta(minutes=minutes))
    link = mails.page(ctx.app, "magic-link", token=secret.token)
    await mails.post(ctx, user, mails.MagicLink(link=link, minutes=minutes))


async def sign_in(exchange: Exchange, token: str, *, cookie: bool) -> SignInStep:
    """Sign in with a mailed link's token."""
    async with begin(exchange) as ctx:
        secret = await single_use.redeem(ctx, MAGIC_LINK, token)
        user = await one_user(ctx, owner_of(secret))
        step = await proceed(ctx, user, "magic_link", cookie=cookie)
    if isinstance(step, NexusError):
        raise step
    return step
