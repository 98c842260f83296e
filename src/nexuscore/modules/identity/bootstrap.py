"""The first admin: a link that only somebody who can read this machine's terminal gets.

`nexus serve` prints one while there has never been an admin. Later, `nexus identity bootstrap` prints one to the
machine's owner; that the last admin is gone gives nobody else a way in.
"""

from datetime import timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.pages import Frame
from nexuscore.kernel.module import Greeting
from nexuscore.modules.identity import mails, policy, single_use
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.emails import normalise_email
from nexuscore.modules.identity.errors import AccountExists
from nexuscore.modules.identity.events import UserRegistered
from nexuscore.modules.identity.exchanges import begin
from nexuscore.modules.identity.hashing import make_hash
from nexuscore.modules.identity.people import FIRST_ADMIN, set_platform_role
from nexuscore.modules.identity.schemas import Bootstrap
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.single_use import BOOTSTRAP
from nexuscore.modules.identity.tables import Milestone, User

NEEDED = "Give an address, a name and a password, or sign in first."

_HAD_ADMIN = select(Milestone.at).where(Milestone.name == FIRST_ADMIN)
_NEW = insert(User).on_conflict_do_nothing(index_elements=[User.email]).returning(User)
_CLAIM = update(User).where(User.email == bindparam("address"), User.state == "unverified").returning(User)


class BootstrapGreeting(Greeting):
    """What `nexus serve` says while nobody can administer the platform."""

    async def lines(self, app: App) -> list[str]:
        """The link, once; nothing as soon as there has been an admin."""
        async with app.context() as ctx:
            if await ctx.db.value(_HAD_ADMIN) is not None:
                return []
            link = await new_link(ctx)
        minutes = app.settings[IdentitySettings].bootstrap_minutes
        paged = app.settings[IdentitySettings].pages_url or app.fillers(Frame)  # type: ignore[type-abstract]  # asked for, not made
        how = "open" if paged else "POST to /api/v1/auth/bootstrap the token of"
        return [f"Nobody is an admin yet. Within {minutes} minutes, {how} {link}"]


async def new_link(ctx: Ctx) -> str:
    """A link that makes one admin; earlier ones stop working."""
    await single_use.kill_of_nobody(ctx, BOOTSTRAP)
    lasts = timedelta(minutes=ctx.app.settings[IdentitySettings].bootstrap_minutes)
    secret = await single_use.issue(ctx, BOOTSTRAP, None, lasts)
    return mails.page(ctx.app, "bootstrap", token=secret.token)


async def redeem(exchange: Exchange, given: Bootstrap) -> User:
    """Make the caller an admin; without one, make an admin's account of what is given."""
    actor = exchange.identity.actor
    if actor.kind == "user" and actor.id is not None:
        async with begin(exchange) as ctx:
            await single_use.redeem(ctx, BOOTSTRAP, given.token)
            return await set_platform_role(ctx, await one_user(ctx, actor.id), "admin")
    return await _with_account(exchange, given)


async def _with_account(exchange: Exchange, given: Bootstrap) -> User:
    app = exchange.app
    if given.email is None or given.name is None or given.password is None:
        raise ValidationError.of([Fault("email", "missing", NEEDED)])
    email = normalise_email(given.email)
    async with begin(exchange) as ctx:
        await single_use.peek(ctx, BOOTSTRAP, given.token)
    policy.require(given.password, app.settings[IdentitySettings], [email, given.name])
    made = await make_hash(app, given.password)
    async with begin(exchange) as ctx:
        await single_use.redeem(ctx, BOOTSTRAP, given.token)
        user = await _account(ctx, email, given.name, made)
        return await set_platform_role(ctx, user, "admin")


async def _account(ctx: Ctx, email: str, name: str, password_hash: str) -> User:
    """The machine's owner says whose address it is, so it counts as verified."""
    settings = ctx.app.settings[IdentitySettings]
    fields = {
        "name": name,
        "password_hash": password_hash,
        "state": "active",
        "email_verified_at": ctx.now,
        "password_changed_at": ctx.now,
        "locale": ctx.locale,
        "time_zone": settings.default_time_zone,
    }
    user = await ctx.db.first(_NEW, email=email, **fields)
    if user is not None:
        ctx.emit(UserRegistered(user_id=user.id))
        return user
    claimed = await ctx.db.first(_CLAIM, address=email, **fields)
    if claimed is None:
        raise AccountExists
    await single_use.kill(ctx, claimed.id)
    return claimed
